// Attention and its gradient for all heads: see attention_inputs.h for shapes,
// attention_forward.h and attention_backward.h for formulas.
//
// Its own kernel because TensorFlow's ops store all scores, (N, Q, T) for each
// sequence, and transpose heads before and after. Here scores are computed in
// blocks that stay in the cache, and recomputed in the backward pass
// (FlashAttention, Dao et al. 2022, arXiv:2205.14135); heads are read in place.

#ifndef ALBERT_KERAS_ATTENTION_H_
#define ALBERT_KERAS_ATTENTION_H_

#include "attention_backward.h"
#include "attention_forward.h"

namespace albert_keras {

template <class Type>
struct TypeTag {
  using type = Type;
};

// Calls function(TypeTag<Matmul>()) with the block products for T on this CPU.
template <class T, class Function>
void WithBlockMatmul(const Function& function) {
#ifdef ALBERT_KERAS_AMX
  if constexpr (std::is_same_v<T, bfloat16>) {
    if (AmxBlockMatmul::IsAvailable()) {
      return function(TypeTag<AmxBlockMatmul>());
    }
  }
#endif
  function(TypeTag<FloatBlockMatmul>());
}

class AttentionKernel : public OpKernel {
 public:
  explicit AttentionKernel(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_heads", &num_heads_));
  }

 protected:
  int64_t num_heads_;
};

template <class T>
class Attention : public AttentionKernel {
 public:
  using AttentionKernel::AttentionKernel;

  void Compute(OpKernelContext* context) override {
    const AttentionInputs<T> in(context, num_heads_);
    if (!context->status().ok()) return;
    const TensorShape shape = in.context_shape();
    const int64_t queries = shape.num_elements() / in.width;
    T* output = AllocateOutput<T>(context, 0, shape);
    float* log_sums = AllocateOutput<float>(context, 1, {queries * num_heads_});
    if (!output || !log_sums) return;
    WithBlockMatmul<T>([&](auto tag) {
      using Matmul = typename decltype(tag)::type;
      ParallelFor(context, in.batch * num_heads_, in.Work(), [&](int64_t i) {
        const Head head = in.head(i);
        HeadForward<Matmul, T>(in, head).Run(in.ContextRows(output, head),
                                             log_sums + in.LogSumsOffset(head));
      });
    });
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertAttention", Attention);

template <class T>
class AttentionGrad : public AttentionKernel {
 public:
  using AttentionKernel::AttentionKernel;

  void Compute(OpKernelContext* context) override {
    const AttentionInputs<T> in(context, num_heads_);
    if (!context->status().ok()) return;
    const T* output = context->input(5).flat<T>().data();
    const float* log_sums = context->input(6).flat<float>().data();
    const T* doutput = context->input(7).flat<T>().data();
    // In place is safe: a head reads its rows before it writes their gradients.
    T* dqueries = ReuseInputAsOutput<T>(context, 0, 0);
    T* dkeys = ReuseInputAsOutput<T>(context, 1, 1);
    float* dbias = AllocateOutput<float>(context, 2, {3 * in.width});
    if (!context->status().ok()) return;

    PartialSums sums(in.batch, 1, 3 * in.width);
    WithBlockMatmul<T>([&](auto tag) {
      using Matmul = typename decltype(tag)::type;
      ParallelFor(context, in.batch * num_heads_, in.Work(), [&](int64_t i) {
        const Head head = in.head(i);
        HeadGradients<T> gradients;
        gradients.context = in.ContextRows(output, head);
        gradients.dcontext = in.ContextRows(doutput, head);
        gradients.log_sums = log_sums + in.LogSumsOffset(head);
        for (Part part : {kQuery, kKey, kValue}) {
          gradients.dparts[part] = in.PartRows(dqueries, dkeys, part, head);
          gradients.dbias[part] =
              sums.at(head.sequence, 0) + in.BiasOffset(part, head);
        }
        HeadBackward<Matmul, T>(in, head, gradients).Run();
      });
    });
    sums.Reduce(0, dbias);
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertAttentionGrad", AttentionGrad);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_H_
