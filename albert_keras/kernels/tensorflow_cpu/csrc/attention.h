// Attention whose scores are never stored (Dao et al. 2022,
// arXiv:2205.14135): a block of queries at a time, computed again for the
// gradient. B sequences, N heads of width d, H = N d.

#ifndef ALBERT_KERAS_ATTENTION_H_
#define ALBERT_KERAS_ATTENTION_H_

#include <memory>

#include "attention_inputs.h"
#include "block_matmul.h"

namespace albert_keras {

inline int64_t RoundUp(int64_t n, int64_t granule) {
  return CeilDiv(n, granule) * granule;
}

// A matrix in scratch memory, not filled. Rows are a cache line longer than
// they need be: powers of two apart they would fall on one another in the
// caches.
template <class Element>
class Block {
 public:
  Block(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), stride(columns + 64 / sizeof(Element)) {
    memory_.reset(new (std::align_val_t(64)) Element[rows * stride]);
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
  static void Forward(const AttentionInputs<T>& in, const Sequence& sequence,
                      int64_t head, HeadRows<T> context, float* log_sums) {
    const Blocks blocks;
    const int64_t d = in.head_dim, dp = RoundUp(d, kGranule);
    const int64_t length = sequence.keys, padded = RoundUp(length, kGranule);
    const int64_t queries =
        std::min(kQueries / 2, RoundUp(sequence.queries, kGranule));
    Block<Element> rows(padded, dp), k(dp, padded), q(queries, dp);
    Block<Element> v_packed(kPacked * padded, dp);
    Block<Element> p_rounded(kPacked * queries, padded);
    Block<float> scores(queries, padded), sums(queries, dp);
    auto &v = Or(rows, v_packed), &p = Or(scores, p_rounded);
    LoadRows(in, 1, sequence, head, 0, length, &rows);
    Blocks::PackTransposed(rows.row(0), rows.stride, padded, dp, k.row(0),
                           k.stride);
    LoadRows(in, 2, sequence, head, 0, length, &rows);
    Blocks::Pack(rows.row(0), rows.stride, padded, dp, v.row(0), v.stride);
    const float* mask = in.mask ? in.mask + sequence.first_key : nullptr;

    for (int64_t first = 0; first < sequence.queries; first += queries) {
      const int64_t count = std::min(queries, sequence.queries - first);
      const int64_t rounded = RoundUp(count, kGranule);
      LoadRows(in, 0, sequence, head, first, count, &q);
      blocks.Product(rounded, padded, dp, q.row(0), q.stride, k.row(0),
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
        std::fill(s + length, s + padded, 0.0f);
        Blocks::FromFloat(s, padded, p.row(r));
      }
      blocks.Product(rounded, dp, padded, p.row(0), p.stride, v.row(0),
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
  static void Backward(const AttentionInputs<T>& in, const Sequence& sequence,
                       int64_t head, HeadRows<const T> context,
                       HeadRows<const T> dcontext, const float* log_sums,
                       HeadRows<T> dparts[3], float* dbias[3]) {
    const Blocks blocks;
    const int64_t d = in.head_dim, dp = RoundUp(d, kGranule);
    const int64_t length = sequence.keys, padded = RoundUp(length, kGranule);
    const int64_t queries =
        std::min(kQueries, RoundUp(sequence.queries, kGranule));
    Block<Element> k(padded, dp), v(padded, dp), k_columns(dp, padded);
    Block<float> dk(padded, dp), dv(padded, dp), dq(dp, queries);
    Block<Element> q_rows(queries, dp), dy_rows(queries, dp);
    Block<Element> q_columns(dp, queries), dy_columns(dp, queries);
    Block<Element> q_packed(kPacked * queries, dp);
    Block<Element> dy_packed(kPacked * queries, dp);
    Block<float> scores(kKeys, queries), dscores(kKeys, queries);
    Block<Element> p_rounded(kPacked * kKeys, queries);
    Block<Element> ds_rounded(kPacked * kKeys, queries);
    Block<Element> ds_again(kPacked * kKeys, queries);
    auto &q = Or(q_rows, q_packed), &dy = Or(dy_rows, dy_packed);
    auto &p = Or(scores, p_rounded), &ds = Or(dscores, ds_rounded);
    auto& ds_packed = Or(ds, ds_again);
    std::vector<float> scratch(2 * d + 2 * queries);
    float *one = scratch.data(), *other = one + d;
    float *along = other + d, *log_sum = along + queries;

    LoadRows(in, 1, sequence, head, 0, length, &k);
    LoadRows(in, 2, sequence, head, 0, length, &v);
    Blocks::Transpose(k.row(0), k.stride, padded, dp, k_columns.row(0),
                      k_columns.stride);
    const float* mask = in.mask ? in.mask + sequence.first_key : nullptr;

    for (int64_t first = 0; first < sequence.queries; first += queries) {
      const int64_t count = std::min(queries, sequence.queries - first);
      const int64_t rounded = RoundUp(count, kGranule);
      LoadRows(in, 0, sequence, head, first, count, &q_rows);
      Pack(q_rows, &q, &q_columns);
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
        Blocks::FromFloat(other, d, dy_rows.row(r));
      }
      FillUp(count, d, &dy_rows);
      Pack(dy_rows, &dy, &dy_columns);

      for (int64_t t = 0; t < padded; t += kKeys) {
        const int64_t keys = std::min(kKeys, padded - t);
        blocks.Product(keys, rounded, dp, k.row(t), k.stride, q_columns.row(0),
                       q_columns.stride, scores.row(0), scores.stride, false);
        blocks.Product(keys, rounded, dp, v.row(t), v.stride, dy_columns.row(0),
                       dy_columns.stride, dscores.row(0), dscores.stride,
                       false);
        for (int64_t r = 0; r < keys; ++r) {
          const float added =
              t + r >= length ? -30000.0f : (mask ? mask[t + r] : 0.0f);
          SoftmaxBackward(added, log_sum, along, rounded, scores.row(r),
                          dscores.row(r));
          Blocks::FromFloat(scores.row(r), rounded, p.row(r));
          Blocks::FromFloat(dscores.row(r), rounded, ds.row(r));
        }
        Blocks::Pack(ds.row(0), ds.stride, keys, rounded, ds_packed.row(0),
                     ds_packed.stride);
        blocks.Product(keys, dp, rounded, p.row(0), p.stride, dy.row(0),
                       dy.stride, dv.row(t), dv.stride, first > 0);
        blocks.Product(keys, dp, rounded, ds.row(0), ds.stride, q.row(0),
                       q.stride, dk.row(t), dk.stride, first > 0);
        blocks.Product(dp, rounded, keys, k_columns.row(0) + t,
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
  static constexpr int64_t kPacked = Blocks::kPacks;

  // What need not be packed or rounded stands for its own packed form.
  template <class First>
  static Block<Element>& Or(Block<First>& first, Block<Element>& packed) {
    if constexpr (Blocks::kPacks) {
      return packed;
    } else {
      return first;
    }
  }

  // Rows of a part plus their bias, then zeros.
  template <class T>
  static void LoadRows(const AttentionInputs<T>& in, int part,
                       const Sequence& sequence, int64_t head, int64_t first,
                       int64_t count, Block<Element>* to) {
    const auto from = in.part(part, sequence, head);
    const float* bias = in.bias_of(part, head);
    const int64_t d = in.head_dim;
    std::vector<float> scratch(d);
    // Rows of a head lie far apart, which processors do not foresee.
    constexpr int64_t kAhead = 16, kLine = 64 / sizeof(T);
    for (int64_t r = 0; r < count; ++r) {
      const T* later = from.row(first + std::min(r + kAhead, count - 1));
      for (int64_t i = 0; i < d; i += kLine) __builtin_prefetch(later + i);
      float* x = scratch.data();
      if constexpr (std::is_same_v<Element, float>) x = to->row(r);
      Load(from.row(first + r), d, x);
#pragma omp simd
      for (int64_t i = 0; i < d; ++i) x[i] += bias[i];
      Blocks::FromFloat(x, d, to->row(r));
    }
    FillUp(count, d, to);
  }

  // Zeros beside and below the first rows and columns.
  static void FillUp(int64_t rows, int64_t columns, Block<Element>* block) {
    for (int64_t r = 0; r < block->rows; ++r) {
      Element* row = block->row(r);
      std::fill(row + (r < rows ? columns : 0), row + block->columns,
                Element{});
    }
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
    const TensorShape shape = in.context_shape();
    const int64_t queries = shape.num_elements() / in.width;
    T* output = Output<T>(context, 0, shape);
    float* log_sums = Output<float>(context, 1, {queries * num_heads_});
    if (!output || !log_sums) return;
    WithBlocks<T>([&](auto attention) {
      InParallel(context, in.batch * num_heads_, in.products(), [&](int64_t i) {
        const Sequence sequence = in.sequence(i / num_heads_);
        const int64_t head = i % num_heads_;
        attention.Forward(in, sequence, head,
                          in.of_query(output, sequence, head),
                          log_sums + in.log_sums_of(sequence, head));
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
    const T* output = context->input(5).flat<T>().data();
    const float* log_sums = context->input(6).flat<float>().data();
    const T* doutput = context->input(7).flat<T>().data();
    // A head reads its rows before it writes their gradients.
    T* dqueries = OutputInPlace<T>(context, 0, 0);
    T* dkeys = OutputInPlace<T>(context, 1, 1);
    float* dbias = Output<float>(context, 2, {3 * in.width});
    if (!context->status().ok()) return;

    BlockSums sums(in.batch, 1, 3 * in.width);
    WithBlocks<T>([&](auto attention) {
      InParallel(context, in.batch * num_heads_, in.products(), [&](int64_t i) {
        const int64_t b = i / num_heads_, head = i % num_heads_;
        const Sequence sequence = in.sequence(b);
        HeadRows<T> dparts[3];
        float* dbias_of[3];
        for (int part = 0; part < 3; ++part) {
          dparts[part] = in.part(dqueries, dkeys, part, sequence, head);
          dbias_of[part] = sums.of(b, 0) + part * in.width + head * in.head_dim;
        }
        attention.Backward(
            in, sequence, head, in.of_query(output, sequence, head),
            in.of_query(doutput, sequence, head),
            log_sums + in.log_sums_of(sequence, head), dparts, dbias_of);
      });
    });
    sums.AddUp(0, dbias);
  }
};

ALBERT_KERAS_REGISTER("AlbertAttentionGrad", AttentionBackward);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_H_
