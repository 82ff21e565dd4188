// Layer normalization of x + bias + residual, one pass of each way.

#ifndef ALBERT_KERAS_ADD_LAYER_NORM_H_
#define ALBERT_KERAS_ADD_LAYER_NORM_H_

#include "op_helpers.h"

namespace albert_keras {

REGISTER_OP("AlbertAddLayerNorm")
    .Input("x: T")
    .Input("bias: float")
    .Input("residual: T")
    .Input("gamma: float")
    .Input("beta: float")
    .Output("y: T")
    .Output("statistics: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("epsilon: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->Matrix(c->UnknownDim(), 2));
      return absl::OkStatus();
    });

REGISTER_OP("AlbertAddLayerNormGrad")
    .Input("x: T")
    .Input("bias: float")
    .Input("residual: T")
    .Input("gamma: float")
    .Input("statistics: float")
    .Input("dy: T")
    .Output("dx: T")
    .Output("dbias: float")
    .Output("dgamma: float")
    .Output("dbeta: float")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      for (int i = 1; i < 4; ++i) c->set_output(i, c->input(1));
      return absl::OkStatus();
    });

// x + bias + residual of a row; `other` is scratch of the same width.
template <class T>
void LoadSum(const T* x, const float* bias, const T* residual, int64_t width,
             float* sum, float* other) {
  Load(x, width, sum);
  Load(residual, width, other);
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) sum[i] += bias[i] + other[i];
}

template <class T>
class AddLayerNorm : public tensorflow::OpKernel {
 public:
  explicit AddLayerNorm(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }

  void Compute(OpKernelContext* context) override {
    const int64_t width = LastDimension(context->input(0));
    const int64_t rows = context->input(0).NumElements() / width;
    const T* x = context->input(0).flat<T>().data();
    const float* bias = context->input(1).flat<float>().data();
    const T* residual = context->input(2).flat<T>().data();
    const float* gamma = context->input(3).flat<float>().data();
    const float* beta = context->input(4).flat<float>().data();
    T* y = OutputInPlace<T>(context, 0, 0);
    float* statistics = Output<float>(context, 1, {rows, 2});
    if (!y || !statistics) return;

    const RowBlocks blocks(rows);
    InParallel(context, blocks.count(), rows * width, [&](int64_t block) {
      std::vector<float> scratch(2 * width);
      float *s = scratch.data(), *other = s + width;
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        LoadSum(x + r * width, bias, residual + r * width, width, s, other);
        float total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t i = 0; i < width; ++i) total += s[i];
        const float mean = total / width;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < width; ++i) {
          squares += (s[i] - mean) * (s[i] - mean);
        }
        const float inverse = 1 / std::sqrt(squares / width + epsilon_);
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          s[i] = (s[i] - mean) * inverse * gamma[i] + beta[i];
        }
        Store(s, width, y + r * width);
        statistics[2 * r] = mean;
        statistics[2 * r + 1] = inverse;
      }
    });
  }

 private:
  float epsilon_;
};

ALBERT_KERAS_REGISTER("AlbertAddLayerNorm", AddLayerNorm);

// With n the normalized row and dn = dy gamma:
// dx = (dn - mean(dn) - n mean(dn n)) / deviation.
template <class T>
class AddLayerNormGrad : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const int64_t width = LastDimension(context->input(0));
    const int64_t rows = context->input(0).NumElements() / width;
    const T* x = context->input(0).flat<T>().data();
    const float* bias = context->input(1).flat<float>().data();
    const T* residual = context->input(2).flat<T>().data();
    const float* gamma = context->input(3).flat<float>().data();
    const float* statistics = context->input(4).flat<float>().data();
    const T* dy = context->input(5).flat<T>().data();
    T* dx = OutputInPlace<T>(context, 5, 0);
    float* sums[3];
    for (int i = 0; i < 3; ++i) {
      sums[i] = Output<float>(context, i + 1, {width});
      if (!sums[i]) return;
    }
    if (!dx) return;

    const RowBlocks blocks(rows);
    BlockSums block_sums(blocks.count(), 3, width);
    InParallel(context, blocks.count(), rows * width, [&](int64_t block) {
      std::vector<float> scratch(3 * width);
      float *n = scratch.data(), *d = n + width, *other = d + width;
      float* dbias = block_sums.of(block, 0);
      float* dgamma = block_sums.of(block, 1);
      float* dbeta = block_sums.of(block, 2);
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        LoadSum(x + r * width, bias, residual + r * width, width, n, other);
        Load(dy + r * width, width, d);
        const float mean = statistics[2 * r];
        const float inverse = statistics[2 * r + 1];
        float total = 0, along = 0;
#pragma omp simd reduction(+ : total, along)
        for (int64_t i = 0; i < width; ++i) {
          n[i] = (n[i] - mean) * inverse;
          dgamma[i] += d[i] * n[i];
          dbeta[i] += d[i];
          d[i] *= gamma[i];
          total += d[i];
          along += d[i] * n[i];
        }
        total /= width;
        along /= width;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          d[i] = inverse * (d[i] - total - n[i] * along);
          dbias[i] += d[i];
        }
        Store(d, width, dx + r * width);
      }
    });
    for (int i = 0; i < 3; ++i) block_sums.AddUp(i, sums[i]);
  }
};

ALBERT_KERAS_REGISTER("AlbertAddLayerNormGrad", AddLayerNormGrad);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ADD_LAYER_NORM_H_
