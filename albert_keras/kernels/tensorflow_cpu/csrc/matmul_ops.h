// Products with weights in panels, and the gradients of weights.

#ifndef ALBERT_KERAS_DENSE_H_
#define ALBERT_KERAS_DENSE_H_

#include "bias_activation.h"
#include "packed_matmul.h"

namespace albert_keras {

using tensorflow::shape_inference::ShapeHandle;

// The panels of a matrix, or of it transposed.
REGISTER_OP("AlbertPack")
    .Input("matrix: T")
    .Output("panels: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("transposed: bool")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });

// x W (..., columns) for x (..., depth) and W's panels.
REGISTER_OP("AlbertProduct")
    .Input("x: T")
    .Input("panels: float")
    .Output("z: T")
    .Attr("T: {float, bfloat16, half}")
    .Attr("columns: int")
    .SetShapeFn([](InferenceContext* c) {
      int64_t columns;
      TF_RETURN_IF_ERROR(c->GetAttr("columns", &columns));
      ShapeHandle shape;
      TF_RETURN_IF_ERROR(
          c->ReplaceDim(c->input(0), -1, c->MakeDim(columns), &shape));
      c->set_output(0, shape);
      return absl::OkStatus();
    });

// And y = activation(z + bias). There is no z where nothing reads it.
REGISTER_OP("AlbertProductActivation")
    .Input("x: T")
    .Input("panels: float")
    .Input("bias: float")
    .Output("z: T")
    .Output("y: T")
    .Attr("T: {float, bfloat16, half}")
    .Attr("activation: {'gelu_tanh', 'gelu', 'relu'}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle shape;
      TF_RETURN_IF_ERROR(
          c->ReplaceDim(c->input(0), -1, c->Dim(c->input(2), 0), &shape));
      c->set_output(0, shape);
      c->set_output(1, shape);
      return absl::OkStatus();
    });

// The same y again, and what dy V' for V's panels makes of z and bias.
REGISTER_OP("AlbertProductActivationGrad")
    .Input("dy: T")
    .Input("panels: float")
    .Input("z: T")
    .Input("bias: float")
    .Output("y: T")
    .Output("dz: T")
    .Output("dbias: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("activation: {'gelu_tanh', 'gelu', 'relu'}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(2));
      c->set_output(1, c->input(2));
      c->set_output(2, c->input(3));
      return absl::OkStatus();
    });

// x' y for x (..., I) and y (..., O).
REGISTER_OP("AlbertOuterProduct")
    .Input("x: T")
    .Input("y: T")
    .Output("product: T")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(
          0, c->Matrix(c->Dim(c->input(0), -1), c->Dim(c->input(1), -1)));
      return absl::OkStatus();
    });

template <class T>
class Pack : public tensorflow::OpKernel {
 public:
  explicit Pack(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("transposed", &transposed_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& matrix = context->input(0);
    int64_t depth = matrix.dim_size(0), columns = matrix.dim_size(1);
    if (transposed_) std::swap(depth, columns);
    const T* from = matrix.flat<T>().data();
    float* to =
        Output<float>(context, 0, {Panels::Count(columns), depth, kPanel});
    if (!to) return;
    if (transposed_) {
      PackTransposedPanels(context, from, depth, columns, to);
    } else {
      PackPanels(context, from, depth, columns, to);
    }
  }

 private:
  bool transposed_;
};

// Rows of an input, and the panels of another that they are multiplied with.
template <class T>
struct Factors {
  Factors(OpKernelContext* context, int64_t columns)
      : x(context->input(0)),
        panels{context->input(1).flat<float>().data(), LastDimension(x),
               columns},
        rows(x.NumElements() / panels.depth),
        shape(x.shape()) {
    const TensorShape expected({Panels::Count(columns), panels.depth, kPanel});
    OP_REQUIRES(context, context->input(1).shape() == expected,
                tensorflow::errors::InvalidArgument(
                    "Panels must be those of a matrix that fits. Received: ",
                    context->input(1).shape().DebugString(), ", expected ",
                    expected.DebugString(), "."));
    shape.set_dim(shape.dims() - 1, columns);
  }

  AsRows<T> left() const { return {x.flat<T>().data(), panels.depth}; }

  const Tensor& x;
  Panels panels;
  int64_t rows;
  TensorShape shape;
};

template <class T>
class Product : public tensorflow::OpKernel {
 public:
  explicit Product(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("columns", &columns_));
  }

  void Compute(OpKernelContext* context) override {
    const Factors<T> in(context, columns_);
    if (!context->status().ok()) return;
    T* z = Output<T>(context, 0, in.shape);
    if (!z) return;
    Multiply(context, in.rows, in.left(), in.panels, z, NoMore);
  }

 private:
  int64_t columns_;
};

template <class T>
class ProductActivation : public ActivationKernel<ProductActivation<T>> {
 public:
  using ActivationKernel<ProductActivation<T>>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context, Activation) {
    const int64_t width = context->input(2).NumElements();
    const Factors<T> in(context, width);
    if (!context->status().ok()) return;
    const float* bias = context->input(2).flat<float>().data();
    T* y = Output<T>(context, 1, in.shape);
    T* z = context->output_required(0) ? Output<T>(context, 0, in.shape) : y;
    if (!z || !y) return;
    Multiply(context, in.rows, in.left(), in.panels, z, [&](const Unit& unit) {
      unit.ForRows(width, [&](int64_t at) {
        Activate<Activation>(z + at, bias + unit.column, unit.columns, y + at);
      });
    });
  }
};

template <class T>
class ProductActivationGrad
    : public ActivationKernel<ProductActivationGrad<T>> {
 public:
  using ActivationKernel<ProductActivationGrad<T>>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context, Activation) {
    const int64_t width = context->input(3).NumElements();
    const Factors<T> in(context, width);
    if (!context->status().ok()) return;
    const T* z = context->input(2).flat<T>().data();
    const float* bias = context->input(3).flat<float>().data();
    T* y = OutputInPlace<T>(context, 2, 0);
    T* dz = Output<T>(context, 1, in.shape);
    float* dbias = Output<float>(context, 2, {width});
    if (!y || !dz || !dbias) return;
    const int64_t units = CeilDiv(in.rows, kUnitRows);
    BlockSums sums(units, 1, width);
    Multiply(context, in.rows, in.left(), in.panels, dz, [&](const Unit& unit) {
      float* sum = sums.of(unit.row / kUnitRows, 0) + unit.column;
      unit.ForRows(width, [&](int64_t at) {
        ActivateBackward<Activation>(z + at, bias + unit.column, dz + at,
                                     unit.columns, y + at, dz + at, sum);
      });
    });
    sums.AddUp(0, dbias);
  }
};

template <class T>
class OuterProduct : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &y = context->input(1);
    const int64_t rows = LastDimension(x), columns = LastDimension(y);
    const int64_t depth = x.NumElements() / rows;
    OP_REQUIRES(
        context, y.NumElements() == depth * columns,
        tensorflow::errors::InvalidArgument(
            "Both sides must have as many rows. Received: ",
            x.shape().DebugString(), " and ", y.shape().DebugString(), "."));
    T* product = Output<T>(context, 0, {rows, columns});
    if (!product) return;
    Tensor packed;
    OP_REQUIRES_OK(
        context, context->allocate_temp(tensorflow::DT_FLOAT,
                                        {Panels::Count(columns), depth, kPanel},
                                        &packed));
    float* panels = packed.flat<float>().data();
    PackPanels(context, y.flat<T>().data(), depth, columns, panels);
    Multiply(context, rows, AsColumns<T>(x.flat<T>().data(), rows),
             Panels{panels, depth, columns}, product, NoMore);
  }
};

ALBERT_KERAS_REGISTER("AlbertPack", Pack);
ALBERT_KERAS_REGISTER("AlbertProduct", Product);
ALBERT_KERAS_REGISTER("AlbertProductActivation", ProductActivation);
ALBERT_KERAS_REGISTER("AlbertProductActivationGrad", ProductActivationGrad);
ALBERT_KERAS_REGISTER("AlbertOuterProduct", OuterProduct);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_DENSE_H_
