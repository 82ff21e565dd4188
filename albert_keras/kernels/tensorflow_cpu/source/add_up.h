// Sums in float32 of tensors of a narrower type, and of earlier sums.

#ifndef ALBERT_KERAS_ADD_UP_H_
#define ALBERT_KERAS_ADD_UP_H_

#include "rows.h"

namespace albert_keras {

// TensorFlow would join sums of its own into one at the end, for which all
// wait.
REGISTER_OP("AlbertAddUp")
    .Input("parts: N * T")
    .Input("sums: M * float")
    .Output("sum: float")
    .Attr("N: int >= 1")
    .Attr("M: int >= 0")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      return absl::OkStatus();
    });

template <class T>
class AddUp : public tensorflow::OpKernel {
 public:
  explicit AddUp(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("N", &num_parts_));
  }

  void Compute(OpKernelContext* context) override {
    const int64_t n = context->input(0).NumElements();
    std::vector<const T*> parts;
    std::vector<const float*> sums;
    for (int i = 0; i < context->num_inputs(); ++i) {
      const Tensor& input = context->input(i);
      OP_REQUIRES(context, input.shape() == context->input(0).shape(),
                  tensorflow::errors::InvalidArgument(
                      "What adds up must have one shape. Received: ",
                      context->input(0).shape().DebugString(), " and ",
                      input.shape().DebugString(), "."));
      if (i < num_parts_) {
        parts.push_back(input.flat<T>().data());
      } else {
        sums.push_back(input.flat<float>().data());
      }
    }
    float* sum = Output<float>(context, 0, context->input(0).shape());
    if (!sum) return;
    constexpr int64_t kChunk = 1 << 12;
    const int64_t chunks = CeilDiv(n, kChunk);
    const int64_t work = n * context->num_inputs();
    InParallel(context, chunks, work, [&](int64_t chunk) {
      const int64_t begin = chunk * kChunk, size = std::min(kChunk, n - begin);
      float x[kChunk];
      float* total = sum + begin;
      Load(parts[0] + begin, size, total);
      for (size_t i = 1; i < parts.size(); ++i) {
        Load(parts[i] + begin, size, x);
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) total[j] += x[j];
      }
      for (const float* other : sums) {
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) total[j] += other[begin + j];
      }
    });
  }

 private:
  int num_parts_;
};

ALBERT_KERAS_REGISTER("AlbertAddUp", AddUp);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ADD_UP_H_
