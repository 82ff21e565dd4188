// Attention whose scores are never stored (Dao et al. 2022,
// arXiv:2205.14135): a block of queries at a time, computed again for the
// gradient. B sequences of T keys and Q queries, N heads of width d, H = N d.

#ifndef ALBERT_KERAS_ATTENTION_H_
#define ALBERT_KERAS_ATTENTION_H_

#include <memory>

#include "block_products.h"
#include "rows.h"

namespace albert_keras {

// `keys` is (B, T, 2 H), keys and values, beside queries (B, Q, H); or
// (B, T, 3 H), the queries first, and `queries` (0, 0, 0). The bias (3 H) is
// theirs, not yet added. `mask` (B, T) is added to scores; empty adds nothing.
// `log_sums` (B, N, Q) are those of the scores' exponentials.
REGISTER_OP("AlbertAttention")
    .Input("queries: T")
    .Input("keys: T")
    .Input("bias: float")
    .Input("mask: float")
    .Output("context: T")
    .Output("log_sums: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("num_heads: int")
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::DimensionHandle width;
      TF_RETURN_IF_ERROR(c->Divide(c->Dim(c->input(2), 0), 3, true, &width));
      const bool apart = c->Value(c->Dim(c->input(0), 2)) != 0;
      const auto length = c->Dim(c->input(apart ? 0 : 1), 1);
      c->set_output(0, c->MakeShape({c->Dim(c->input(1), 0), length, width}));
      c->set_output(1, c->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });

REGISTER_OP("AlbertAttentionGrad")
    .Input("queries: T")
    .Input("keys: T")
    .Input("bias: float")
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

// The shapes and inputs that both ways have in common.
template <class T>
struct AttentionInputs {
  AttentionInputs(OpKernelContext* context, int64_t num_heads)
      : queries(context->input(0)),
        keys(context->input(1)),
        bias(context->input(2).flat<float>().data()),
        batch(keys.dim_size(0)),
        key_length(keys.dim_size(1)),
        width(context->input(2).NumElements() / 3),
        num_heads(num_heads),
        head_dim(width / num_heads),
        joint(keys.dim_size(2) == 3 * width),
        query_length(joint ? key_length : queries.dim_size(1)) {
    const Tensor& mask_input = context->input(3);
    mask = mask_input.NumElements() ? mask_input.flat<float>().data() : nullptr;
    OP_REQUIRES(context,
                !mask || mask_input.NumElements() == batch * key_length,
                tensorflow::errors::InvalidArgument(
                    "The mask must have a number for each key. Received: ",
                    mask_input.shape().DebugString(), " for keys ",
                    keys.shape().DebugString(), "."));
  }

  // Rows of one head in a tensor (B, Q, H).
  template <class F>
  HeadRows<F> of_query(F* tensor, int64_t b, int64_t head) const {
    return {tensor + b * query_length * width + head * head_dim, width};
  }

  // Part 0, 1 or 2: queries, keys or values of one head, in a tensor of the
  // queries' or of the keys' shape.
  template <class F>
  HeadRows<F> part(F* in_queries, F* in_keys, int part, int64_t b,
                   int64_t head) const {
    if (part == 0 && !joint) return of_query(in_queries, b, head);
    const int64_t stride = keys.dim_size(2);
    return {in_keys + b * key_length * stride +
                (joint ? part : part - 1) * width + head * head_dim,
            stride};
  }

  HeadRows<const T> part(int which, int64_t b, int64_t head) const {
    return part(queries.flat<T>().data(), keys.flat<T>().data(), which, b,
                head);
  }

  const float* bias_of(int part, int64_t head) const {
    return bias + part * width + head * head_dim;
  }

  int64_t scores() const {
    return batch * num_heads * query_length * key_length;
  }

  const Tensor &queries, &keys;
  const float *bias, *mask;
  int64_t batch, key_length, width, num_heads, head_dim;
  bool joint;
  int64_t query_length;
};

inline int64_t RoundUp(int64_t n, int64_t granule) {
  return (n + granule - 1) / granule * granule;
}

// A matrix in scratch memory. Rows are a cache line longer than they need be:
// powers of two apart they would fall on one another in the caches.
template <class Element>
class Block {
 public:
  Block(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), stride(columns + 64 / sizeof(Element)) {
    memory_.reset(new (std::align_val_t(64)) Element[rows * stride]());
  }

  Element* row(int64_t number) { return memory_.get() + number * stride; }

  int64_t rows, columns, stride;

 private:
  struct Free {
    void operator()(Element* memory) const {
      operator delete[](memory, std::align_val_t(64));
    }
  };
  std::unique_ptr<Element[], Free> memory_;
};

// Products of Blocks by FloatBlocks or TileBlocks.
template <class Blocks>
class Attention {
  using Element = typename Blocks::Element;
  static constexpr int64_t kGranule = Blocks::kGranule;
  static constexpr int64_t kQueries = Blocks::kRows;
  static constexpr int64_t kKeys = Blocks::kRows / 2;

 public:
  template <class T>
  static void Forward(const AttentionInputs<T>& in, int64_t b, int64_t head,
                      HeadRows<T> context, float* log_sums) {
    const Blocks blocks;
    const int64_t d = in.head_dim, dp = RoundUp(d, kGranule);
    const int64_t length = in.key_length, padded = RoundUp(length, kGranule);
    const int64_t queries =
        std::min(kQueries / 2, RoundUp(in.query_length, kGranule));
    Block<Element> rows(padded, dp), k(dp, padded), v(padded, dp);
    Block<Element> q(queries, dp), p(queries, padded);
    Block<float> scores(queries, padded), sums(queries, dp);
    LoadRows(in, 1, b, head, 0, length, &rows);
    Blocks::PackTransposed(rows.row(0), rows.stride, padded, dp, k.row(0),
                           k.stride);
    LoadRows(in, 2, b, head, 0, length, &rows);
    Blocks::Pack(rows.row(0), rows.stride, padded, dp, v.row(0), v.stride);
    const float* mask = in.mask ? in.mask + b * length : nullptr;

    for (int64_t first = 0; first < in.query_length; first += queries) {
      const int64_t count = std::min(queries, in.query_length - first);
      LoadRows(in, 0, b, head, first, count, &q);
      blocks.Product(queries, padded, dp, q.row(0), q.stride, k.row(0),
                     k.stride, scores.row(0), scores.stride, false);
      float totals[kQueries];
      for (int64_t r = 0; r < count; ++r) {
        float* s = scores.row(r);
        if (mask) {
#pragma omp simd
          for (int64_t i = 0; i < length; ++i) s[i] += mask[i];
        }
        const float highest = Highest(s, length);
        totals[r] = Exponentials(highest, length, s);
        log_sums[first + r] = highest + std::log(totals[r]);
        Blocks::FromFloat(s, length, p.row(r));
      }
      blocks.Product(queries, dp, padded, p.row(0), p.stride, v.row(0),
                     v.stride, sums.row(0), sums.stride, false);
      for (int64_t r = 0; r < count; ++r) {
        float* sum = sums.row(r);
        const float factor = 1 / totals[r];
#pragma omp simd
        for (int64_t i = 0; i < d; ++i) sum[i] *= factor;
        Store(sum, d, context.row(first + r));
      }
    }
  }

  // Transposed, keys by queries: what belongs to a query, its log of sums and
  // `along`, the sum of p dp over the keys, then stands in vectors.
  template <class T>
  static void Backward(const AttentionInputs<T>& in, int64_t b, int64_t head,
                       HeadRows<const T> context, HeadRows<const T> dcontext,
                       const float* log_sums, HeadRows<T> dparts[3],
                       float* dbias[3]) {
    const Blocks blocks;
    const int64_t d = in.head_dim, dp = RoundUp(d, kGranule);
    const int64_t length = in.key_length, padded = RoundUp(length, kKeys);
    const int64_t queries =
        std::min(kQueries, RoundUp(in.query_length, kGranule));
    Block<Element> k(padded, dp), v(padded, dp), k_columns(dp, padded);
    Block<float> dk(padded, dp), dv(padded, dp), dq(dp, queries);
    Block<Element> rows(queries, dp);
    Block<Element> q(queries, dp), q_columns(dp, queries);
    Block<Element> dy(queries, dp), dy_columns(dp, queries);
    Block<float> scores(kKeys, queries), dscores(kKeys, queries);
    Block<Element> p(kKeys, queries), ds(kKeys, queries);
    Block<Element> ds_packed(kKeys, queries);
    std::vector<float> scratch(2 * d + 2 * queries);
    float *one = scratch.data(), *other = one + d;
    float *along = other + d, *log_sum = along + queries;

    LoadRows(in, 1, b, head, 0, length, &k);
    LoadRows(in, 2, b, head, 0, length, &v);
    Blocks::Transpose(k.row(0), k.stride, padded, dp, k_columns.row(0),
                      k_columns.stride);
    const float* mask = in.mask ? in.mask + b * length : nullptr;

    for (int64_t first = 0; first < in.query_length; first += queries) {
      const int64_t count = std::min(queries, in.query_length - first);
      LoadRows(in, 0, b, head, first, count, &rows);
      Pack(rows, &q, &q_columns);
      std::fill_n(along, queries, 0.0f);
      std::fill_n(log_sum, queries, 0.0f);
      for (int64_t r = 0; r < count; ++r) {
        Load(context.row(first + r), d, one);
        Load(dcontext.row(first + r), d, other);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < d; ++i) sum += one[i] * other[i];
        along[r] = sum;
        log_sum[r] = log_sums[first + r];
        Blocks::FromFloat(other, d, rows.row(r));
      }
      Clear(count, &rows);
      Pack(rows, &dy, &dy_columns);

      for (int64_t t = 0; t < padded; t += kKeys) {
        blocks.Product(kKeys, queries, dp, k.row(t), k.stride,
                       q_columns.row(0), q_columns.stride, scores.row(0),
                       scores.stride, false);
        blocks.Product(kKeys, queries, dp, v.row(t), v.stride,
                       dy_columns.row(0), dy_columns.stride, dscores.row(0),
                       dscores.stride, false);
        for (int64_t r = 0; r < kKeys; ++r) {
          const float added =
              t + r >= length ? -30000.0f : (mask ? mask[t + r] : 0.0f);
          SoftmaxBackward(added, log_sum, along, queries, scores.row(r),
                          dscores.row(r));
          Blocks::FromFloat(scores.row(r), queries, p.row(r));
          Blocks::FromFloat(dscores.row(r), queries, ds.row(r));
        }
        Blocks::Pack(ds.row(0), ds.stride, kKeys, queries, ds_packed.row(0),
                     ds_packed.stride);
        blocks.Product(kKeys, dp, queries, p.row(0), p.stride, dy.row(0),
                       dy.stride, dv.row(t), dv.stride, true);
        blocks.Product(kKeys, dp, queries, ds.row(0), ds.stride, q.row(0),
                       q.stride, dk.row(t), dk.stride, true);
        blocks.Product(dp, queries, kKeys, k_columns.row(0) + t,
                       k_columns.stride, ds_packed.row(0), ds_packed.stride,
                       dq.row(0), dq.stride, t > 0);
      }
      for (int64_t r = 0; r < count; ++r) {
        for (int64_t i = 0; i < d; ++i) one[i] = dq.row(i)[r];
        StoreRow(one, d, dparts[0].row(first + r), dbias[0]);
      }
    }
    for (int64_t t = 0; t < length; ++t) {
      StoreRow(dk.row(t), d, dparts[1].row(t), dbias[1]);
      StoreRow(dv.row(t), d, dparts[2].row(t), dbias[2]);
    }
  }

 private:
  // Rows of a part plus their bias, then zeros.
  template <class T>
  static void LoadRows(const AttentionInputs<T>& in, int part, int64_t b,
                       int64_t head, int64_t first, int64_t count,
                       Block<Element>* to) {
    const auto from = in.part(part, b, head);
    const float* bias = in.bias_of(part, head);
    std::vector<float> scratch(in.head_dim);
    float* x = scratch.data();
    // Rows of a head lie far apart, which processors do not foresee.
    constexpr int64_t kAhead = 16, kLine = 64 / sizeof(T);
    for (int64_t r = 0; r < count; ++r) {
      const T* later = from.row(first + std::min(r + kAhead, count - 1));
      for (int64_t i = 0; i < in.head_dim; i += kLine) {
        __builtin_prefetch(later + i);
      }
      Load(from.row(first + r), in.head_dim, x);
#pragma omp simd
      for (int64_t i = 0; i < in.head_dim; ++i) x[i] += bias[i];
      Blocks::FromFloat(x, in.head_dim, to->row(r));
    }
    Clear(count, to);
  }

  static void Clear(int64_t first, Block<Element>* block) {
    std::fill(block->row(first), block->row(block->rows), Element{});
  }

  static void Pack(Block<Element>& rows, Block<Element>* packed,
                   Block<Element>* columns) {
    Blocks::Pack(rows.row(0), rows.stride, rows.rows, rows.columns,
                 packed->row(0), packed->stride);
    Blocks::PackTransposed(rows.row(0), rows.stride, rows.rows, rows.columns,
                           columns->row(0), columns->stride);
  }

  static float Exponentials(float highest, int64_t length, float* s) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < length; ++i) {
      s[i] = Exp(s[i] - highest);
      total += s[i];
    }
    return total;
  }

  // Scores of a key to probabilities, and their gradient to the scores'.
  static void SoftmaxBackward(float added, const float* log_sum,
                              const float* along, int64_t n, float* s,
                              float* ds) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      s[i] = Exp(s[i] + added - log_sum[i]);
      ds[i] = s[i] * (ds[i] - along[i]);
    }
  }

  template <class T>
  static void StoreRow(const float* x, int64_t n, T* to, float* sums) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) sums[i] += x[i];
    Store(x, n, to);
  }
};

// Calls function(Attention<...>()) with what suits a type on this machine.
template <class T, class Function>
void WithBlocks(const Function& function) {
#ifdef ALBERT_KERAS_AMX
  if constexpr (std::is_same_v<T, bfloat16>) {
    if (TileBlocks::Allowed()) return function(Attention<TileBlocks>());
  }
#endif
  function(Attention<FloatBlocks>());
}

class HeadsKernel : public tensorflow::OpKernel {
 public:
  explicit HeadsKernel(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_heads", &num_heads_));
  }

 protected:
  int64_t num_heads_;
};

template <class T>
class AttentionForward : public HeadsKernel {
 public:
  using HeadsKernel::HeadsKernel;

  void Compute(OpKernelContext* context) override {
    const AttentionInputs<T> in(context, num_heads_);
    if (!context->status().ok()) return;
    const TensorShape shape({in.batch, in.query_length, in.width});
    const TensorShape sums_shape({in.batch, in.num_heads, in.query_length});
    T* output = Output<T>(context, 0, shape);
    float* log_sums = Output<float>(context, 1, sums_shape);
    if (!output || !log_sums) return;
    const int64_t heads = in.batch * in.num_heads;
    WithBlocks<T>([&](auto attention) {
      InParallel(context, heads, in.scores() * in.head_dim, [&](int64_t i) {
        const int64_t b = i / in.num_heads, head = i % in.num_heads;
        attention.Forward(in, b, head, in.of_query(output, b, head),
                          log_sums + i * in.query_length);
      });
    });
  }
};

ALBERT_KERAS_REGISTER("AlbertAttention", AttentionForward);

template <class T>
class AttentionBackward : public HeadsKernel {
 public:
  using HeadsKernel::HeadsKernel;

  void Compute(OpKernelContext* context) override {
    const AttentionInputs<T> in(context, num_heads_);
    if (!context->status().ok()) return;
    const T* output = context->input(4).flat<T>().data();
    const float* log_sums = context->input(5).flat<float>().data();
    const T* doutput = context->input(6).flat<T>().data();
    // A head reads its rows before it writes their gradients.
    T* dqueries = OutputInPlace<T>(context, 0, 0);
    T* dkeys = OutputInPlace<T>(context, 1, 1);
    float* dbias = Output<float>(context, 2, {3 * in.width});
    if (!context->status().ok()) return;

    BlockSums sums(in.batch, 1, 3 * in.width);
    const int64_t heads = in.batch * in.num_heads;
    WithBlocks<T>([&](auto attention) {
      InParallel(context, heads, in.scores() * in.head_dim, [&](int64_t i) {
        const int64_t b = i / in.num_heads, head = i % in.num_heads;
        HeadRows<T> dparts[3];
        float* dbias_of[3];
        for (int part = 0; part < 3; ++part) {
          dparts[part] = in.part(dqueries, dkeys, part, b, head);
          dbias_of[part] =
              sums.of(b, 0) + part * in.width + head * in.head_dim;
        }
        attention.Backward(in, b, head, in.of_query(output, b, head),
                           in.of_query(doutput, b, head),
                           log_sums + i * in.query_length, dparts, dbias_of);
      });
    });
    sums.AddUp(0, dbias);
  }
};

ALBERT_KERAS_REGISTER("AlbertAttentionGrad", AttentionBackward);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_H_
