// The backward pass of one head of one sequence, with the probabilities P
// recomputed from the log-sums (Dao 2023, arXiv:2307.08691, algorithm 2):
//
//   P  = exp(Q K' + mask - log_sum)    dV = P' dC
//   dP = dC V'                         dS = P * (dP - delta)
//   dQ = dS K                          dK = dS' Q
//
// for the context C (queries, d); * is elementwise. Each query has a delta,
// sum(C * dC), which equals sum(P * dP). Blocks of queries are the outer loop,
// blocks of keys the inner one. P and dS are stored transposed, (keys,
// queries), so that inner loops read log_sum and delta as vectors.

#ifndef ALBERT_KERAS_ATTENTION_BACKWARD_H_
#define ALBERT_KERAS_ATTENTION_BACKWARD_H_

#include "attention_scratch.h"

namespace albert_keras {

// Matrices of queries are operands B of products, as (d, queries) in _columns
// and as (queries, d) in _packed.
template <class Matmul>
struct BackwardScratch {
  using Element = typename Matmul::Element;
  using Matrix = ScratchMatrix<Element>;
  static constexpr int64_t kBlockKeys = Matmul::kCacheBlock / 2;
  static constexpr int64_t kPacked = Matmul::kNeedsPacking;

  explicit BackwardScratch(const HeadSizes& size)
      : k(size.padded_keys, size.padded_d),
        v(size.padded_keys, size.padded_d),
        k_transposed(size.padded_d, size.padded_keys),
        dk(size.padded_keys, size.padded_d),
        dv(size.padded_keys, size.padded_d),
        dq_transposed(size.padded_d, size.block_queries),
        q_rows(size.block_queries, size.padded_d),
        dc_rows(size.block_queries, size.padded_d),
        q_columns(size.padded_d, size.block_queries),
        dc_columns(size.padded_d, size.block_queries),
        q_packed(kPacked * size.block_queries, size.padded_d),
        dc_packed(kPacked * size.block_queries, size.padded_d),
        scores(kBlockKeys, size.block_queries),
        dscores(kBlockKeys, size.block_queries),
        p_rounded(kPacked * kBlockKeys, size.block_queries),
        ds_rounded(kPacked * kBlockKeys, size.block_queries),
        ds_repacked(kPacked * kBlockKeys, size.block_queries),
        row(size.d),
        other_row(size.d),
        delta(size.block_queries),
        log_sum(size.block_queries) {}

  // P' and dS' as operands A, rounded to Element.
  Matrix& p() { return PackedOrPlain<Matmul>(p_rounded, scores); }
  Matrix& ds() { return PackedOrPlain<Matmul>(ds_rounded, dscores); }
  // Operands B (queries, d), and dS' as an operand B.
  Matrix& q() { return PackedOrPlain<Matmul>(q_packed, q_rows); }
  Matrix& dc() { return PackedOrPlain<Matmul>(dc_packed, dc_rows); }
  Matrix& ds_packed() { return PackedOrPlain<Matmul>(ds_repacked, ds()); }

  // All keys.
  Matrix k, v, k_transposed;
  ScratchMatrix<float> dk, dv;
  // A block of queries.
  ScratchMatrix<float> dq_transposed;
  Matrix q_rows, dc_rows, q_columns, dc_columns, q_packed, dc_packed;
  // A block of keys and of queries.
  ScratchMatrix<float> scores;   // S', then P'
  ScratchMatrix<float> dscores;  // dP', then dS'
  Matrix p_rounded, ds_rounded, ds_repacked;
  std::vector<float> row, other_row;  // (d,)
  std::vector<float> delta, log_sum;  // of a block of queries
};

// The rows of one head in the results of the forward pass and their gradients;
// dparts and dbias are indexed by Part.
template <class T>
struct HeadGradients {
  MatrixView<const T> context, dcontext;
  const float* log_sums;
  MatrixView<T> dparts[3];
  float* dbias[3];
};

template <class Matmul, class T>
class HeadBackward {
 public:
  HeadBackward(const AttentionInputs<T>& in, const Head& head,
               const HeadGradients<T>& gradients)
      : in_(in),
        head_(head),
        gradients_(gradients),
        size_(head, in.head_dim, Matmul::kTile, Matmul::kCacheBlock),
        scratch_(size_) {}

  [[gnu::noinline]] void Run() {  // see HeadForward
    LoadKeysAndValues();
    const int64_t max_queries = size_.block_queries;
    for (int64_t first = 0; first < head_.queries; first += max_queries) {
      const int64_t count = std::min(max_queries, head_.queries - first);
      const QueryBlock queries{first, count, RoundUp(count, Matmul::kTile)};
      LoadQueries(queries);
      LoadContextGradients(queries);
      for (int64_t key = 0; key < size_.padded_keys; key += kBlockKeys) {
        const KeyBlock keys{key, std::min(kBlockKeys, size_.padded_keys - key)};
        RecomputeScores(queries, keys);
        SoftmaxBackward(queries, keys);
        AddValueGradients(queries, keys);
        AddKeyGradients(queries, keys);
        AddQueryGradients(queries, keys);
      }
      StoreQueryGradients(queries);
    }
    StoreKeyAndValueGradients();
  }

 private:
  using Matrix = typename BackwardScratch<Matmul>::Matrix;
  static constexpr int64_t kBlockKeys = BackwardScratch<Matmul>::kBlockKeys;

  struct QueryBlock {
    int64_t first, count, padded;
  };
  struct KeyBlock {
    int64_t first, padded;
  };

  void LoadKeysAndValues() {
    LoadRows<Matmul>(in_, kKey, head_, 0, size_.keys, &scratch_.k);
    LoadRows<Matmul>(in_, kValue, head_, 0, size_.keys, &scratch_.v);
    Matmul::Transpose(size_.padded_keys, size_.padded_d, scratch_.k.view(),
                      scratch_.k_transposed.view());
  }

  void LoadQueries(const QueryBlock& queries) {
    LoadRows<Matmul>(in_, kQuery, head_, queries.first, queries.count,
                     &scratch_.q_rows);
    PackBothWays(scratch_.q_rows, &scratch_.q(), &scratch_.q_columns);
  }

  // Loads dC, delta and log_sum: all 0 in the padding, where dS is then 0, too.
  void LoadContextGradients(const QueryBlock& queries) {
    const int64_t d = size_.d;
    float *c = scratch_.row.data(), *dc = scratch_.other_row.data();
    std::fill(scratch_.delta.begin(), scratch_.delta.end(), 0.0f);
    std::fill(scratch_.log_sum.begin(), scratch_.log_sum.end(), 0.0f);
    for (int64_t r = 0; r < queries.count; ++r) {
      Load(gradients_.context.row(queries.first + r), d, c);
      Load(gradients_.dcontext.row(queries.first + r), d, dc);
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < d; ++i) sum += c[i] * dc[i];
      scratch_.delta[r] = sum;
      scratch_.log_sum[r] = gradients_.log_sums[queries.first + r];
      Matmul::FromFloat(dc, d, scratch_.dc_rows.row(r));
    }
    PadWithZeros(queries.count, d, &scratch_.dc_rows);
    PackBothWays(scratch_.dc_rows, &scratch_.dc(), &scratch_.dc_columns);
  }

  // Packs a matrix and its transpose as operands B.
  static void PackBothWays(Matrix& rows, Matrix* packed, Matrix* columns) {
    Matmul::Pack(rows.rows, rows.columns, rows.view(), packed->view());
    Matmul::PackTransposed(rows.rows, rows.columns, rows.view(),
                           columns->view());
  }

  // S' = K Q', still without the mask, and dP' = V dC'.
  void RecomputeScores(const QueryBlock& queries, const KeyBlock& keys) {
    matmul_.Multiply(keys.padded, queries.padded, size_.padded_d,
                     scratch_.k.view(keys.first), scratch_.q_columns.view(),
                     scratch_.scores.view(), false);
    matmul_.Multiply(keys.padded, queries.padded, size_.padded_d,
                     scratch_.v.view(keys.first), scratch_.dc_columns.view(),
                     scratch_.dscores.view(), false);
  }

  // Turns S' into P', and dP' into dS'. P is 0 for keys of the padding.
  void SoftmaxBackward(const QueryBlock& queries, const KeyBlock& keys) {
    constexpr float kPaddingMask = -30000.0f;
    const float* log_sum = scratch_.log_sum.data();
    const float* delta = scratch_.delta.data();
    const float* mask = in_.MaskOf(head_);
    Matrix &p_rounded = scratch_.p(), &ds_rounded = scratch_.ds();
    const int64_t n = queries.padded;
    for (int64_t r = 0; r < keys.padded; ++r) {
      const int64_t key = keys.first + r;
      const float added =
          key >= size_.keys ? kPaddingMask : (mask ? mask[key] : 0.0f);
      float *p = scratch_.scores.row(r), *ds = scratch_.dscores.row(r);
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) {
        p[i] = Exp(p[i] + added - log_sum[i]);
        ds[i] = p[i] * (ds[i] - delta[i]);
      }
      Matmul::FromFloat(p, n, p_rounded.row(r));
      Matmul::FromFloat(ds, n, ds_rounded.row(r));
    }
  }

  // dV += P' dC.
  void AddValueGradients(const QueryBlock& queries, const KeyBlock& keys) {
    matmul_.Multiply(keys.padded, size_.padded_d, queries.padded,
                     scratch_.p().view(), scratch_.dc().view(),
                     scratch_.dv.view(keys.first), queries.first > 0);
  }

  // dK += dS' Q.
  void AddKeyGradients(const QueryBlock& queries, const KeyBlock& keys) {
    matmul_.Multiply(keys.padded, size_.padded_d, queries.padded,
                     scratch_.ds().view(), scratch_.q().view(),
                     scratch_.dk.view(keys.first), queries.first > 0);
  }

  // dQ' += K' dS'.
  void AddQueryGradients(const QueryBlock& queries, const KeyBlock& keys) {
    Matmul::Pack(keys.padded, queries.padded, scratch_.ds().view(),
                 scratch_.ds_packed().view());
    matmul_.Multiply(size_.padded_d, queries.padded, keys.padded,
                     scratch_.k_transposed.view(0, keys.first),
                     scratch_.ds_packed().view(), scratch_.dq_transposed.view(),
                     keys.first > 0);
  }

  void StoreQueryGradients(const QueryBlock& queries) {
    float* row = scratch_.row.data();
    for (int64_t r = 0; r < queries.count; ++r) {
      for (int64_t i = 0; i < size_.d; ++i) {
        row[i] = scratch_.dq_transposed.row(i)[r];
      }
      StoreRow(row, kQuery, queries.first + r);
    }
  }

  void StoreKeyAndValueGradients() {
    for (int64_t r = 0; r < size_.keys; ++r) {
      StoreRow(scratch_.dk.row(r), kKey, r);
      StoreRow(scratch_.dv.row(r), kValue, r);
    }
  }

  // Stores a row of dQ, dK or dV and adds it to the gradient of the bias.
  void StoreRow(const float* from, Part part, int64_t row) {
    float* sums = gradients_.dbias[part];
    const int64_t d = size_.d;
#pragma omp simd
    for (int64_t i = 0; i < d; ++i) sums[i] += from[i];
    Store(from, d, gradients_.dparts[part].row(row));
  }

  const AttentionInputs<T>& in_;
  const Head head_;
  const HeadGradients<T> gradients_;
  const HeadSizes size_;
  BackwardScratch<Matmul> scratch_;
  const Matmul matmul_{};
};

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_BACKWARD_H_
