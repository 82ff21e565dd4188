// Sums in float32 of tensors of a narrower type.

#ifndef ALBERT_KERAS_ADD_UP_H_
#define ALBERT_KERAS_ADD_UP_H_

#include "rows.h"

namespace albert_keras {

REGISTER_OP("AlbertAddUp")
    .Input("parts: N * T")
    .Output("sum: float")
    .Attr("N: int >= 1")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      return absl::OkStatus();
    });

template <class T>
class AddUp : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const int64_t n = context->input(0).NumElements();
    std::vector<const T*> parts(context->num_inputs());
    for (size_t i = 0; i < parts.size(); ++i) {
      const Tensor& part = context->input(i);
      OP_REQUIRES(context, part.shape() == context->input(0).shape(),
                  tensorflow::errors::InvalidArgument(
                      "What adds up must have one shape. Received: ",
                      context->input(0).shape().DebugString(), " and ",
                      part.shape().DebugString(), "."));
      parts[i] = part.flat<T>().data();
    }
    float* sum = Output<float>(context, 0, context->input(0).shape());
    if (!sum) return;
    constexpr int64_t kChunk = 1 << 12;
    const int64_t chunks = CeilDiv(n, kChunk);
    InParallel(context, chunks, n * parts.size(), [&](int64_t chunk) {
      const int64_t begin = chunk * kChunk, size = std::min(kChunk, n - begin);
      float x[kChunk];
      float* total = sum + begin;
      Load(parts[0] + begin, size, total);
      for (size_t i = 1; i < parts.size(); ++i) {
        Load(parts[i] + begin, size, x);
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) total[j] += x[j];
      }
    });
  }
};

ALBERT_KERAS_REGISTER("AlbertAddUp", AddUp);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ADD_UP_H_
