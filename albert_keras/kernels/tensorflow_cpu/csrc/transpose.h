// Matrices laid out the other way.

#ifndef ALBERT_KERAS_TRANSPOSE_H_
#define ALBERT_KERAS_TRANSPOSE_H_

#include "op_helpers.h"

namespace albert_keras {

// TensorFlow's own would be folded into the products that read it, which then
// read the matrix as it was.
REGISTER_OP("AlbertTranspose")
    .Input("x: T")
    .Output("y: T")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::ShapeHandle x;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &x));
      c->set_output(0, c->Matrix(c->Dim(x, 1), c->Dim(x, 0)));
      return absl::OkStatus();
    });

template <class T>
class Transpose : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& x = context->input(0);
    const int64_t rows = x.dim_size(0), columns = x.dim_size(1);
    const T* from = x.flat<T>().data();
    T* to = Output<T>(context, 0, {columns, rows});
    if (!to) return;
    constexpr int64_t kSide = 32;
    const int64_t strips = CeilDiv(columns, kSide);
    InParallel(context, strips, rows * columns, [&](int64_t strip) {
      T tile[kSide][kSide];
      const int64_t c = strip * kSide, width = std::min(kSide, columns - c);
      for (int64_t r = 0; r < rows; r += kSide) {
        const int64_t height = std::min(kSide, rows - r);
        for (int64_t i = 0; i < height; ++i) {
          std::copy_n(from + (r + i) * columns + c, width, tile[i]);
        }
        for (int64_t j = 0; j < width; ++j) {
          T* row = to + (c + j) * rows + r;
          for (int64_t i = 0; i < height; ++i) row[i] = tile[i][j];
        }
      }
    });
  }
};

ALBERT_KERAS_REGISTER("AlbertTranspose", Transpose);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_TRANSPOSE_H_
