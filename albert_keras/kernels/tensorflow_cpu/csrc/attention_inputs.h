// What attention reads: B sequences, N heads of width d, H = N d.

#ifndef ALBERT_KERAS_ATTENTION_INPUTS_H_
#define ALBERT_KERAS_ATTENTION_INPUTS_H_

#include "op_helpers.h"

namespace albert_keras {

// The sequences stand end to end: `splits` (B + 1) are the rows of `keys`
// where each begins, and their number. `keys` is (..., 2 H), keys and values,
// beside queries (B, Q, H); or (..., 3 H), the queries first, and `queries`
// (0, 0, 0). The bias (3 H) is theirs, not yet added. `mask`, a number for
// each key, is added to scores; empty adds nothing. `log_sums` are those of
// the scores' exponentials, of a sequence (N, Q).
REGISTER_OP("AlbertAttention")
    .Input("queries: T")
    .Input("keys: T")
    .Input("bias: float")
    .Input("splits: int32")
    .Input("mask: float")
    .Output("context: T")
    .Output("log_sums: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("num_heads: int")
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::DimensionHandle width;
      TF_RETURN_IF_ERROR(c->Divide(c->Dim(c->input(2), 0), 3, true, &width));
      const bool apart = c->Value(c->Dim(c->input(0), 2)) != 0;
      tensorflow::shape_inference::ShapeHandle shape;
      TF_RETURN_IF_ERROR(
          c->ReplaceDim(c->input(apart ? 0 : 1), -1, width, &shape));
      c->set_output(0, shape);
      c->set_output(1, c->UnknownShapeOfRank(1));
      return absl::OkStatus();
    });

REGISTER_OP("AlbertAttentionGrad")
    .Input("queries: T")
    .Input("keys: T")
    .Input("bias: float")
    .Input("splits: int32")
    .Input("mask: float")
    .Input("context: T")
    .Input("log_sums: float")
    .Input("dcontext: T")
    .Output("dqueries: T")
    .Output("dkeys: T")
    .Output("dbias: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("num_heads: int")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(1));
      c->set_output(2, c->input(2));
      return absl::OkStatus();
    });

// Where a head's rows begin, and how far apart they are.
template <class T>
struct HeadRows {
  T* first;
  int64_t stride;

  T* row(int64_t number) const { return first + number * stride; }
};

// One sequence: its rows of keys and of queries, and how many they are.
struct Sequence {
  int64_t first_key, keys, first_query, queries;
};

// The shapes and inputs that both ways have in common.
template <class T>
struct AttentionInputs {
  AttentionInputs(OpKernelContext* context, int64_t num_heads)
      : queries(context->input(0)),
        keys(context->input(1)),
        bias(context->input(2).flat<float>().data()),
        splits(context->input(3).flat<int32_t>().data()),
        batch(context->input(3).NumElements() - 1),
        width(context->input(2).NumElements() / 3),
        num_heads(num_heads),
        head_dim(width / num_heads),
        joint(LastDimension(keys) == 3 * width) {
    const int64_t rows = keys.NumElements() / LastDimension(keys);
    const Tensor& mask_input = context->input(4);
    mask = mask_input.NumElements() ? mask_input.flat<float>().data() : nullptr;
    OP_REQUIRES(context, !mask || mask_input.NumElements() == rows,
                tensorflow::errors::InvalidArgument(
                    "The mask must have a number for each key. Received: ",
                    mask_input.shape().DebugString(), " for keys ",
                    keys.shape().DebugString(), "."));
    bool ascend = batch >= 0 && splits[0] == 0 && splits[batch] == rows;
    for (int64_t b = 0; b < batch; ++b) ascend &= splits[b] < splits[b + 1];
    OP_REQUIRES(context, ascend && (joint || queries.dim_size(0) == batch),
                tensorflow::errors::InvalidArgument(
                    "The splits must ascend from 0 to the number of keys, and "
                    "end as many sequences as have queries. Received: ",
                    context->input(3).DebugString(batch + 1), ", keys ",
                    keys.shape().DebugString(), ", queries ",
                    queries.shape().DebugString(), "."));
  }

  Sequence sequence(int64_t b) const {
    const int64_t first = splits[b], length = splits[b + 1] - first;
    if (joint) return {first, length, first, length};
    const int64_t number = queries.dim_size(1);
    return {first, length, b * number, number};
  }

  TensorShape context_shape() const {
    TensorShape shape = joint ? keys.shape() : queries.shape();
    shape.set_dim(shape.dims() - 1, width);
    return shape;
  }

  // Rows of one head in a tensor of the context's shape.
  template <class F>
  HeadRows<F> of_query(F* tensor, const Sequence& s, int64_t head) const {
    return {tensor + s.first_query * width + head * head_dim, width};
  }

  // Part 0, 1 or 2: queries, keys or values of one head, in a tensor of the
  // queries' or of the keys' shape.
  template <class F>
  HeadRows<F> part(F* in_queries, F* in_keys, int part, const Sequence& s,
                   int64_t head) const {
    if (part == 0 && !joint) return of_query(in_queries, s, head);
    const int64_t stride = LastDimension(keys);
    return {in_keys + s.first_key * stride + (joint ? part : part - 1) * width +
                head * head_dim,
            stride};
  }

  HeadRows<const T> part(int which, const Sequence& s, int64_t head) const {
    return part(queries.flat<T>().data(), keys.flat<T>().data(), which, s,
                head);
  }

  const float* bias_of(int part, int64_t head) const {
    return bias + part * width + head * head_dim;
  }

  // Where those of a sequence and head stand among `log_sums`.
  int64_t log_sums_of(const Sequence& s, int64_t head) const {
    return s.first_query * num_heads + head * s.queries;
  }

  int64_t products() const {
    int64_t scores = 0;
    for (int64_t b = 0; b < batch; ++b) {
      const Sequence s = sequence(b);
      scores += s.queries * s.keys;
    }
    return scores * width;
  }

  const Tensor &queries, &keys;
  const float *bias, *mask;
  const int32_t* splits;
  int64_t batch, width, num_heads, head_dim;
  bool joint;
};

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_INPUTS_H_
