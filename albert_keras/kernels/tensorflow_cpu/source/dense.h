// Products with weights in panels, and the gradients of weights: float32.

#ifndef ALBERT_KERAS_DENSE_H_
#define ALBERT_KERAS_DENSE_H_

#include "bias_activation.h"
#include "packed_products.h"

namespace albert_keras {

using tensorflow::shape_inference::ShapeHandle;

// The panels of a matrix, or of it transposed.
REGISTER_OP("AlbertPack")
    .Input("matrix: float")
    .Output("panels: float")
    .Attr("transposed: bool")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });

// x W (..., columns) for x (..., depth) and W's panels.
REGISTER_OP("AlbertProduct")
    .Input("x: float")
    .Input("panels: float")
    .Output("z: float")
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

// And y = activation(z + bias).
REGISTER_OP("AlbertProductActivation")
    .Input("x: float")
    .Input("panels: float")
    .Input("bias: float")
    .Output("z: float")
    .Output("y: float")
    .Attr("activation: {'gelu_tanh', 'gelu', 'relu'}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle shape;
      TF_RETURN_IF_ERROR(c->ReplaceDim(c->input(0), -1, c->Dim(c->input(2), 0),
                                       &shape));
      c->set_output(0, shape);
      c->set_output(1, shape);
      return absl::OkStatus();
    });

// The same y again, and what dy V' for V's panels makes of z and bias.
REGISTER_OP("AlbertProductActivationGrad")
    .Input("dy: float")
    .Input("panels: float")
    .Input("z: float")
    .Input("bias: float")
    .Output("y: float")
    .Output("dz: float")
    .Output("dbias: float")
    .Attr("activation: {'gelu_tanh', 'gelu', 'relu'}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(2));
      c->set_output(1, c->input(2));
      c->set_output(2, c->input(3));
      return absl::OkStatus();
    });

// x' y for x (..., I) and y (..., O).
REGISTER_OP("AlbertOuterProduct")
    .Input("x: float")
    .Input("y: float")
    .Output("product: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Matrix(c->Dim(c->input(0), -1),
                                 c->Dim(c->input(1), -1)));
      return absl::OkStatus();
    });

class Pack : public tensorflow::OpKernel {
 public:
  explicit Pack(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("transposed", &transposed_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& matrix = context->input(0);
    int64_t depth = matrix.dim_size(0), columns = matrix.dim_size(1);
    if (transposed_) std::swap(depth, columns);
    const float* from = matrix.flat<float>().data();
    float* to = Output<float>(context, 0,
                              {Panels::Count(columns), depth, kPanel});
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
struct Factors {
  Factors(OpKernelContext* context, int64_t columns)
      : x(context->input(0)),
        panels{context->input(1).flat<float>().data(), LastDimension(x),
               columns},
        rows(x.NumElements() / panels.depth),
        shape(x.shape()) {
    const TensorShape expected(
        {Panels::Count(columns), panels.depth, kPanel});
    OP_REQUIRES(context, context->input(1).shape() == expected,
                tensorflow::errors::InvalidArgument(
                    "Panels must be those of a matrix that fits. Received: ",
                    context->input(1).shape().DebugString(), ", expected ",
                    expected.DebugString(), "."));
    shape.set_dim(shape.dims() - 1, columns);
  }

  AsRows left() const { return AsRows(x.flat<float>().data(), panels.depth); }

  const Tensor& x;
  Panels panels;
  int64_t rows;
  TensorShape shape;
};

class Product : public tensorflow::OpKernel {
 public:
  explicit Product(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("columns", &columns_));
  }

  void Compute(OpKernelContext* context) override {
    const Factors in(context, columns_);
    if (!context->status().ok()) return;
    float* z = Output<float>(context, 0, in.shape);
    if (!z) return;
    Multiply(context, in.rows, in.left(), in.panels, z, NoMore);
  }

 private:
  int64_t columns_;
};

class ProductActivation : public ActivationKernel<ProductActivation> {
 public:
  using ActivationKernel<ProductActivation>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context, Activation) {
    const int64_t width = context->input(2).NumElements();
    const Factors in(context, width);
    if (!context->status().ok()) return;
    const float* bias = context->input(2).flat<float>().data();
    float* z = Output<float>(context, 0, in.shape);
    float* y = Output<float>(context, 1, in.shape);
    if (!z || !y) return;
    Multiply(context, in.rows, in.left(), in.panels, z,
             [&](int64_t row, int64_t rows, int64_t j, int64_t columns) {
               for (int64_t r = row; r < row + rows; ++r) {
                 const int64_t at = r * width + j;
                 Activate<Activation>(z + at, bias + j, columns, y + at);
               }
             });
  }
};

class ProductActivationGrad : public ActivationKernel<ProductActivationGrad> {
 public:
  using ActivationKernel<ProductActivationGrad>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context, Activation) {
    const int64_t width = context->input(3).NumElements();
    const Factors in(context, width);
    if (!context->status().ok()) return;
    const float* z = context->input(2).flat<float>().data();
    const float* bias = context->input(3).flat<float>().data();
    float* y = OutputInPlace<float>(context, 2, 0);
    float* dz = Output<float>(context, 1, in.shape);
    float* dbias = Output<float>(context, 2, {width});
    if (!y || !dz || !dbias) return;
    const int64_t units = (in.rows + kUnitRows - 1) / kUnitRows;
    BlockSums sums(units, 1, width);
    Multiply(context, in.rows, in.left(), in.panels, dz,
             [&](int64_t row, int64_t rows, int64_t j, int64_t columns) {
               float* sum = sums.of(row / kUnitRows, 0) + j;
               for (int64_t r = row; r < row + rows; ++r) {
                 const int64_t at = r * width + j;
                 ActivateBackward<Activation>(z + at, bias + j, dz + at,
                                              columns, y + at, dz + at, sum);
               }
             });
    sums.AddUp(0, dbias);
  }
};

class OuterProduct : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &y = context->input(1);
    const int64_t rows = LastDimension(x), columns = LastDimension(y);
    const int64_t depth = x.NumElements() / rows;
    OP_REQUIRES(context, y.NumElements() == depth * columns,
                tensorflow::errors::InvalidArgument(
                    "Both sides must have as many rows. Received: ",
                    x.shape().DebugString(), " and ",
                    y.shape().DebugString(), "."));
    float* product = Output<float>(context, 0, {rows, columns});
    if (!product) return;
    Tensor packed;
    OP_REQUIRES_OK(context,
                   context->allocate_temp(
                       tensorflow::DT_FLOAT,
                       {Panels::Count(columns), depth, kPanel}, &packed));
    float* panels = packed.flat<float>().data();
    PackPanels(context, y.flat<float>().data(), depth, columns, panels);
    Multiply(context, rows, AsColumns(x.flat<float>().data(), rows),
             Panels{panels, depth, columns}, product, NoMore);
  }
};

#define ALBERT_KERAS_REGISTER_FLOAT(NAME, KERNEL) \
  REGISTER_KERNEL_BUILDER(Name(NAME).Device(tensorflow::DEVICE_CPU), KERNEL)

ALBERT_KERAS_REGISTER_FLOAT("AlbertPack", Pack);
ALBERT_KERAS_REGISTER_FLOAT("AlbertProduct", Product);
ALBERT_KERAS_REGISTER_FLOAT("AlbertProductActivation", ProductActivation);
ALBERT_KERAS_REGISTER_FLOAT("AlbertProductActivationGrad",
                            ProductActivationGrad);
ALBERT_KERAS_REGISTER_FLOAT("AlbertOuterProduct", OuterProduct);

#undef ALBERT_KERAS_REGISTER_FLOAT

}  // namespace albert_keras

#endif  // ALBERT_KERAS_DENSE_H_
