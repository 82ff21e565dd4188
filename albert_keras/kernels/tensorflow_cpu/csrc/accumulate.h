// sum = parts[0] + parts[1] + ... + sums[0] + ..., elementwise in float32: the
// gradients of a shared weight, N in the compute type and M earlier sums.
//
// Its own kernel because Grappler would fuse TensorFlow's adds into one AddN at
// the end of the backward pass and keep every gradient alive until then.

#ifndef ALBERT_KERAS_ACCUMULATE_H_
#define ALBERT_KERAS_ACCUMULATE_H_

#include "op_helpers.h"

namespace albert_keras {

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
class Accumulate : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const int64_t n = context->input(0).NumElements();
    tensorflow::OpInputList parts, sums;
    OP_REQUIRES_OK(context, context->input_list("parts", &parts));
    OP_REQUIRES_OK(context, context->input_list("sums", &sums));
    for (int i = 0; i < context->num_inputs(); ++i) {
      const Tensor& input = context->input(i);
      OP_REQUIRES(context, input.shape() == context->input(0).shape(),
                  InvalidArgument("`parts` and `sums` must have one shape. "
                                  "Received: ",
                                  context->input(0).shape().DebugString(),
                                  " and ", input.shape().DebugString(), "."));
    }
    float* sum = AllocateOutput<float>(context, 0, context->input(0).shape());
    if (!sum) return;
    constexpr int64_t kChunk = 1 << 12;  // elements whose sum stays in L1
    const int64_t chunks = CeilDiv(n, kChunk);
    const int64_t work = n * context->num_inputs();
    ParallelFor(context, chunks, work, [&](int64_t chunk) {
      const int64_t begin = chunk * kChunk, size = std::min(kChunk, n - begin);
      float x[kChunk];
      float* total = sum + begin;
      Load(parts[0].flat<T>().data() + begin, size, total);
      for (int i = 1; i < parts.size(); ++i) {
        Load(parts[i].flat<T>().data() + begin, size, x);
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) total[j] += x[j];
      }
      for (const Tensor& earlier : sums) {
        const float* addend = earlier.flat<float>().data() + begin;
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) total[j] += addend[j];
      }
    });
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertAddUp", Accumulate);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ACCUMULATE_H_
