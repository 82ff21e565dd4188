// y = gamma n + beta, n = (s - mean(s)) / sqrt(variance(s) + epsilon) over the
// last axis, for s = x + bias + residual; and its gradient. x, residual and y
// are (..., H); bias, gamma and beta float32 (H,).
//
// Its own kernel because TensorFlow's ops take a pass over memory for each add,
// mean and product. Here each direction is one pass, and the backward pass
// recomputes n from the inputs and two statistics per row.

#ifndef ALBERT_KERAS_ADD_LAYER_NORM_H_
#define ALBERT_KERAS_ADD_LAYER_NORM_H_

#include "op_helpers.h"

namespace albert_keras {

// `statistics` are the mean and 1 / deviation of each row.
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

// `dx` is the gradient of residual, too.
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

// sum = x + bias + residual of a row; `scratch` has the same width.
template <class T>
void LoadSum(const T* x, const float* bias, const T* residual, int64_t width,
             float* sum, float* scratch) {
  Load(x, width, sum);
  Load(residual, width, scratch);
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) sum[i] += bias[i] + scratch[i];
}

template <class T>
class AddLayerNorm : public OpKernel {
 public:
  explicit AddLayerNorm(OpKernelConstruction* context) : OpKernel(context) {
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
    T* y = ReuseInputAsOutput<T>(context, 0, 0);
    float* statistics = AllocateOutput<float>(context, 1, {rows, 2});
    if (!y || !statistics) return;

    const RowBlocks blocks(rows);
    ParallelFor(context, blocks.count(), rows * width, [&](int64_t block) {
      std::vector<float> memory(2 * width);
      float *s = memory.data(), *scratch = s + width;
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        LoadSum(x + r * width, bias, residual + r * width, width, s, scratch);
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

ALBERT_KERAS_REGISTER_KERNEL("AlbertAddLayerNorm", AddLayerNorm);

// With dn = dy gamma: dx = (dn - mean(dn) - n mean(dn n)) / deviation.
template <class T>
class AddLayerNormGrad : public OpKernel {
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
    T* dx = ReuseInputAsOutput<T>(context, 5, 0);
    float* totals[3];  // dbias, dgamma, dbeta
    for (int i = 0; i < 3; ++i) {
      totals[i] = AllocateOutput<float>(context, i + 1, {width});
      if (!totals[i]) return;
    }
    if (!dx) return;

    const RowBlocks blocks(rows);
    PartialSums sums(blocks.count(), 3, width);
    ParallelFor(context, blocks.count(), rows * width, [&](int64_t block) {
      std::vector<float> memory(3 * width);
      float *n = memory.data(), *d = n + width, *scratch = d + width;
      float* dbias = sums.at(block, 0);
      float* dgamma = sums.at(block, 1);
      float* dbeta = sums.at(block, 2);
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        LoadSum(x + r * width, bias, residual + r * width, width, n, scratch);
        Load(dy + r * width, width, d);
        const float mean = statistics[2 * r];
        const float inverse = statistics[2 * r + 1];
        float mean_dn = 0, mean_dn_n = 0;
#pragma omp simd reduction(+ : mean_dn, mean_dn_n)
        for (int64_t i = 0; i < width; ++i) {
          n[i] = (n[i] - mean) * inverse;
          dgamma[i] += d[i] * n[i];
          dbeta[i] += d[i];
          d[i] *= gamma[i];
          mean_dn += d[i];
          mean_dn_n += d[i] * n[i];
        }
        mean_dn /= width;
        mean_dn_n /= width;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          d[i] = inverse * (d[i] - mean_dn - n[i] * mean_dn_n);
          dbias[i] += d[i];
        }
        Store(d, width, dx + r * width);
      }
    });
    for (int i = 0; i < 3; ++i) sums.Reduce(i, totals[i]);
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertAddLayerNormGrad", AddLayerNormGrad);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ADD_LAYER_NORM_H_
