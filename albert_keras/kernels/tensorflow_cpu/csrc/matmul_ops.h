// Products with packed weights, with bias and activation fused, and gradients
// of weights: z = x W, y = activation(z + bias), x' dz. W' is W transposed.
//
// Their own kernels because packed_matmul.h does what MatMul cannot: it reads
// weights packed once for all layers, and has the activation as an epilogue.

#ifndef ALBERT_KERAS_MATMUL_OPS_H_
#define ALBERT_KERAS_MATMUL_OPS_H_

#include "bias_activation.h"
#include "op_helpers.h"
#include "packed_matmul.h"

namespace albert_keras {

// Packs a matrix, or its transpose, in panels.
REGISTER_OP("AlbertPack")
    .Input("matrix: T")
    .Output("panels: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("transposed: bool")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });

// z = x W (..., columns) for x (..., depth) and the panels of W.
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

// z = x W and y = activation(z + bias). z is not written if no op reads it.
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

// The gradient of activation(z + bias) V: `dy` is that of the output, `panels`
// are those of V'. Recomputes y = activation(z + bias); dz and dbias are the
// gradients that y's gradient, dy V', gives z and bias.
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

// x' y (I, O) for x (..., I) and y (..., O), summed over all rows.
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
class Pack : public OpKernel {
 public:
  explicit Pack(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("transposed", &transposed_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& matrix = context->input(0);
    int64_t depth = matrix.dim_size(0), columns = matrix.dim_size(1);
    if (transposed_) std::swap(depth, columns);
    const T* from = matrix.flat<T>().data();
    float* to = AllocateOutput<float>(
        context, 0, {Panels::Count(columns), depth, kPanelWidth});
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

// The operands of a product, input 0 (x) and input 1 (panels), and its output's
// shape.
template <class T>
struct Operands {
  Operands(OpKernelContext* context, int64_t columns)
      : x(context->input(0)),
        panels{context->input(1).flat<float>().data(), LastDimension(x),
               columns},
        rows(x.NumElements() / panels.depth),
        shape(x.shape()) {
    const TensorShape expected(
        {Panels::Count(columns), panels.depth, kPanelWidth});
    OP_REQUIRES(
        context, context->input(1).shape() == expected,
        InvalidArgument("Panels must be those of a matrix with as many rows "
                        "as x has columns. Received: ",
                        context->input(1).shape().DebugString(), ", expected ",
                        expected.DebugString(), "."));
    shape.set_dim(shape.dims() - 1, columns);
  }

  RowMajor<T> left() const { return {x.flat<T>().data(), panels.depth}; }

  const Tensor& x;
  Panels panels;
  int64_t rows;
  TensorShape shape;
};

template <class T>
class Product : public OpKernel {
 public:
  explicit Product(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("columns", &columns_));
  }

  void Compute(OpKernelContext* context) override {
    const Operands<T> in(context, columns_);
    if (!context->status().ok()) return;
    T* z = AllocateOutput<T>(context, 0, in.shape);
    if (!z) return;
    PackedMatmul(context, in.rows, in.left(), in.panels, z, NoEpilogue);
  }

 private:
  int64_t columns_;
};

template <class T>
class ProductActivation : public ActivationKernel<ProductActivation<T>> {
 public:
  using ActivationKernel<ProductActivation<T>>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context) {
    const int64_t width = context->input(2).NumElements();
    const Operands<T> in(context, width);
    if (!context->status().ok()) return;
    const float* bias = context->input(2).flat<float>().data();
    T* y = AllocateOutput<T>(context, 1, in.shape);
    T* z = context->output_required(0) ? AllocateOutput<T>(context, 0, in.shape)
                                       : y;
    if (!z || !y) return;
    const auto epilogue = [&](const CacheBlock& block) {
      block.ForEachRow(width, [&](int64_t at) {
        Activate<Activation>(z + at, bias + block.column, block.columns,
                             y + at);
      });
    };
    PackedMatmul(context, in.rows, in.left(), in.panels, z, epilogue);
  }
};

template <class T>
class ProductActivationGrad
    : public ActivationKernel<ProductActivationGrad<T>> {
 public:
  using ActivationKernel<ProductActivationGrad<T>>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context) {
    const int64_t width = context->input(3).NumElements();
    const Operands<T> in(context, width);
    if (!context->status().ok()) return;
    const T* z = context->input(2).flat<T>().data();
    const float* bias = context->input(3).flat<float>().data();
    T* y = ReuseInputAsOutput<T>(context, 2, 0);
    T* dz = AllocateOutput<T>(context, 1, in.shape);
    float* dbias = AllocateOutput<float>(context, 2, {width});
    if (!y || !dz || !dbias) return;
    PartialSums sums(CeilDiv(in.rows, kBlockRows), 1, width);
    // The product, dy V', is in the memory of dz.
    const auto epilogue = [&](const CacheBlock& block) {
      float* sum = sums.at(block.row / kBlockRows, 0) + block.column;
      block.ForEachRow(width, [&](int64_t at) {
        ActivateBackward<Activation>(z + at, bias + block.column, dz + at,
                                     block.columns, y + at, dz + at, sum);
      });
    };
    PackedMatmul(context, in.rows, in.left(), in.panels, dz, epilogue);
    sums.Reduce(0, dbias);
  }
};

template <class T>
class OuterProduct : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &y = context->input(1);
    const int64_t rows = LastDimension(x), columns = LastDimension(y);
    const int64_t depth = x.NumElements() / rows;
    OP_REQUIRES(context, y.NumElements() == depth * columns,
                InvalidArgument("y must have as many rows as x. Received: x ",
                                x.shape().DebugString(), ", y ",
                                y.shape().DebugString(), "."));
    T* product = AllocateOutput<T>(context, 0, {rows, columns});
    if (!product) return;
    Tensor packed;
    const TensorShape shape({Panels::Count(columns), depth, kPanelWidth});
    OP_REQUIRES_OK(
        context, context->allocate_temp(tensorflow::DT_FLOAT, shape, &packed));
    float* panels = packed.flat<float>().data();
    PackPanels(context, y.flat<T>().data(), depth, columns, panels);
    PackedMatmul(context, rows, ColumnMajor<T>(x.flat<T>().data(), rows),
                 Panels{panels, depth, columns}, product, NoEpilogue);
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertPack", Pack);
ALBERT_KERAS_REGISTER_KERNEL("AlbertProduct", Product);
ALBERT_KERAS_REGISTER_KERNEL("AlbertProductActivation", ProductActivation);
ALBERT_KERAS_REGISTER_KERNEL("AlbertProductActivationGrad",
                             ProductActivationGrad);
ALBERT_KERAS_REGISTER_KERNEL("AlbertOuterProduct", OuterProduct);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_MATMUL_OPS_H_
