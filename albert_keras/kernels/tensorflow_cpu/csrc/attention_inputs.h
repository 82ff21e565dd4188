// The attention ops, their inputs, and where the rows of one head are in them.
//
// For each head of each sequence: context = softmax(Q K' + mask) V, where Q is
// already scaled by 1 / sqrt(d). B sequences, N heads of width d, H = N d.

#ifndef ALBERT_KERAS_ATTENTION_INPUTS_H_
#define ALBERT_KERAS_ATTENTION_INPUTS_H_

#include "block_matmul.h"
#include "op_helpers.h"

namespace albert_keras {

// Sequences are packed end to end, without padding.
// - queries: (B, Q, H), Q per sequence; (0, 0, 0) if `keys` contains them.
// - keys: (..., 2 H), keys and values; or (..., 3 H), queries, keys and values.
// - bias: (3 H,), added to queries, keys and values as they are loaded.
// - splits: (B + 1,), the first row of each sequence in `keys`, then the number
//   of rows.
// - mask: a number per key, added to its scores; empty for none.
// - context: (..., H), a row per query.
// - log_sums: log(sum(exp(scores))) per query, (N, Q) for each sequence.
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
      const bool has_queries = c->Value(c->Dim(c->input(0), 2)) != 0;
      ShapeHandle shape;
      TF_RETURN_IF_ERROR(
          c->ReplaceDim(c->input(has_queries ? 0 : 1), -1, width, &shape));
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

enum Part { kQuery, kKey, kValue };

// One head of one sequence, and the sequence's rows of keys and of queries.
struct Head {
  int64_t sequence, number;
  int64_t first_key, keys, first_query, queries;
};

// The inputs that both directions have in common.
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
        fused_queries(LastDimension(keys) == 3 * width) {
    const int64_t rows = keys.NumElements() / LastDimension(keys);
    const Tensor& mask_input = context->input(4);
    mask = mask_input.NumElements() ? mask_input.flat<float>().data() : nullptr;
    OP_REQUIRES(
        context, !mask || mask_input.NumElements() == rows,
        InvalidArgument("`mask` must have a number for each key. Received: ",
                        mask_input.shape().DebugString(), " for keys ",
                        keys.shape().DebugString(), "."));
    bool ascend = batch >= 0 && splits[0] == 0 && splits[batch] == rows;
    for (int64_t b = 0; b < batch; ++b) ascend &= splits[b] < splits[b + 1];
    OP_REQUIRES(
        context, ascend && (fused_queries || queries.dim_size(0) == batch),
        InvalidArgument("`splits` must ascend from 0 to the number of keys, "
                        "with one sequence for each item of `queries`. "
                        "Received: ",
                        context->input(3).DebugString(batch + 1), ", keys ",
                        keys.shape().DebugString(), ", queries ",
                        queries.shape().DebugString(), "."));
  }

  // Head i of batch * num_heads.
  Head head(int64_t i) const {
    const int64_t b = i / num_heads, number = i % num_heads;
    const int64_t first = splits[b], length = splits[b + 1] - first;
    if (fused_queries) return {b, number, first, length, first, length};
    const int64_t count = queries.dim_size(1);
    return {b, number, first, length, b * count, count};
  }

  TensorShape context_shape() const {
    TensorShape shape = fused_queries ? keys.shape() : queries.shape();
    shape.set_dim(shape.dims() - 1, width);
    return shape;
  }

  // A head's rows of a tensor with the shape of `context`.
  template <class Element>
  MatrixView<Element> ContextRows(Element* tensor, const Head& head) const {
    return {tensor + head.first_query * width + head.number * head_dim, width};
  }

  // A head's queries, keys or values in tensors with the shapes of `queries`
  // and `keys`.
  template <class Element>
  MatrixView<Element> PartRows(Element* in_queries, Element* in_keys, Part part,
                               const Head& head) const {
    if (part == kQuery && !fused_queries) return ContextRows(in_queries, head);
    const int64_t stride = LastDimension(keys);
    const int64_t column = (fused_queries ? part : part - 1) * width;
    return {in_keys + head.first_key * stride + column + head.number * head_dim,
            stride};
  }

  MatrixView<const T> PartRows(Part part, const Head& head) const {
    return PartRows(queries.flat<T>().data(), keys.flat<T>().data(), part,
                    head);
  }

  // Index of a head's vector in a tensor with the shape of `bias`.
  int64_t BiasOffset(Part part, const Head& head) const {
    return part * width + head.number * head_dim;
  }

  // Index of a head's first query in `log_sums`.
  int64_t LogSumsOffset(const Head& head) const {
    return head.first_query * num_heads + head.number * head.queries;
  }

  const float* MaskOf(const Head& head) const {
    return mask ? mask + head.first_key : nullptr;
  }

  // Multiply-adds of all heads' Q K'.
  int64_t Work() const {
    int64_t scores = 0;
    for (int64_t b = 0; b < batch; ++b) {
      const Head first = head(b * num_heads);
      scores += first.queries * first.keys;
    }
    return scores * width;
  }

  const Tensor &queries, &keys;
  const float *bias, *mask;
  const int32_t* splits;
  int64_t batch, width, num_heads, head_dim;
  bool fused_queries;  // whether `keys` contains the queries
};

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_INPUTS_H_
