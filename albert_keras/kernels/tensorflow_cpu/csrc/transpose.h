// The transpose y = x' (C, R) of a matrix x (R, C).
//
// Its own kernel because Grappler folds TensorFlow's transpose into the MatMul
// that reads it, which then reads the matrix in its original layout.

#ifndef ALBERT_KERAS_TRANSPOSE_H_
#define ALBERT_KERAS_TRANSPOSE_H_

#include "op_helpers.h"

namespace albert_keras {

REGISTER_OP("AlbertTranspose")
    .Input("x: T")
    .Output("y: T")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle x;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &x));
      c->set_output(0, c->Matrix(c->Dim(x, 1), c->Dim(x, 0)));
      return absl::OkStatus();
    });

// Each thread transposes a strip of columns, tile by tile: reads and writes are
// then contiguous in both matrices.
template <class T>
class Transpose : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& x = context->input(0);
    const int64_t rows = x.dim_size(0), columns = x.dim_size(1);
    const T* from = x.flat<T>().data();
    T* to = AllocateOutput<T>(context, 0, {columns, rows});
    if (!to) return;
    constexpr int64_t kTile = 32;
    const int64_t strips = CeilDiv(columns, kTile);
    ParallelFor(context, strips, rows * columns, [&](int64_t strip) {
      T tile[kTile][kTile];
      const int64_t c = strip * kTile, width = std::min(kTile, columns - c);
      for (int64_t r = 0; r < rows; r += kTile) {
        const int64_t height = std::min(kTile, rows - r);
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

ALBERT_KERAS_REGISTER_KERNEL("AlbertTranspose", Transpose);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_TRANSPOSE_H_
