// The forward pass of one head of one sequence:
//
//   S = Q K' + mask,  P = softmax(S),  context = P V
//
// for Q (queries, d), K and V (keys, d), a block of queries at a time.

#ifndef ALBERT_KERAS_ATTENTION_FORWARD_H_
#define ALBERT_KERAS_ATTENTION_FORWARD_H_

#include "attention_scratch.h"

namespace albert_keras {

template <class Matmul>
struct ForwardScratch {
  using Element = typename Matmul::Element;
  static constexpr int64_t kPacked = Matmul::kNeedsPacking;

  explicit ForwardScratch(const HeadSizes& size)
      : rows(size.padded_keys, size.padded_d),
        k_transposed(size.padded_d, size.padded_keys),
        q(size.block_queries, size.padded_d),
        v_packed(kPacked * size.padded_keys, size.padded_d),
        p_rounded(kPacked * size.block_queries, size.padded_keys),
        scores(size.block_queries, size.padded_keys),
        sums(size.block_queries, size.padded_d),
        totals(size.block_queries) {}

  ScratchMatrix<Element>& v() { return PackedOrPlain<Matmul>(v_packed, rows); }
  ScratchMatrix<Element>& p() {
    return PackedOrPlain<Matmul>(p_rounded, scores);
  }

  ScratchMatrix<Element> rows;  // K, then V
  ScratchMatrix<Element> k_transposed, q, v_packed, p_rounded;
  ScratchMatrix<float> scores;  // S, then exp(S - max(S))
  ScratchMatrix<float> sums;    // the context before division by `totals`
  std::vector<float> totals;    // sums of exp(S - max(S)) over the keys
};

template <class Matmul, class T>
class HeadForward {
 public:
  HeadForward(const AttentionInputs<T>& in, const Head& head)
      : in_(in),
        head_(head),
        size_(head, in.head_dim, Matmul::kTile, Matmul::kCacheBlock / 2),
        scratch_(size_) {}

  // Inlined into the op's closure, GCC 12 aligns no loops: 4 to 7% slower at
  // 2 x 512 and 8 x 128 (AMD EPYC, AVX2, 2026-11-27).
  [[gnu::noinline]] void Run(MatrixView<T> context, float* log_sums) {
    PackKeysAndValues();
    const int64_t block = size_.block_queries;
    for (int64_t first = 0; first < head_.queries; first += block) {
      const int64_t count = std::min(block, head_.queries - first);
      const int64_t padded = RoundUp(count, Matmul::kTile);
      ComputeScores(first, count, padded);
      for (int64_t r = 0; r < count; ++r) log_sums[first + r] = Softmax(r);
      matmul_.Multiply(padded, size_.padded_d, size_.padded_keys,
                       scratch_.p().view(), scratch_.v().view(),
                       scratch_.sums.view(), false);
      for (int64_t r = 0; r < count; ++r) {
        StoreContext(r, context.row(first + r));
      }
    }
  }

 private:
  void PackKeysAndValues() {
    ScratchMatrix<typename Matmul::Element>& rows = scratch_.rows;
    LoadRows<Matmul>(in_, kKey, head_, 0, size_.keys, &rows);
    Matmul::PackTransposed(size_.padded_keys, size_.padded_d, rows.view(),
                           scratch_.k_transposed.view());
    LoadRows<Matmul>(in_, kValue, head_, 0, size_.keys, &rows);
    Matmul::Pack(size_.padded_keys, size_.padded_d, rows.view(),
                 scratch_.v().view());
  }

  // Q K' of a block of queries, still without the mask.
  void ComputeScores(int64_t first, int64_t count, int64_t padded) {
    LoadRows<Matmul>(in_, kQuery, head_, first, count, &scratch_.q);
    matmul_.Multiply(padded, size_.padded_keys, size_.padded_d,
                     scratch_.q.view(), scratch_.k_transposed.view(),
                     scratch_.scores.view(), false);
  }

  // Turns a query's scores into unnormalized probabilities, exp(S - max(S));
  // returns log(sum(exp(S))).
  float Softmax(int64_t query) {
    float* s = scratch_.scores.row(query);
    const int64_t keys = size_.keys;
    if (const float* mask = in_.MaskOf(head_)) {
#pragma omp simd
      for (int64_t i = 0; i < keys; ++i) s[i] += mask[i];
    }
    const float max = Max(s, keys);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < keys; ++i) {
      s[i] = Exp(s[i] - max);
      total += s[i];
    }
    std::fill(s + keys, s + size_.padded_keys, 0.0f);
    Matmul::FromFloat(s, size_.padded_keys, scratch_.p().row(query));
    scratch_.totals[query] = total;
    return max + std::log(total);
  }

  void StoreContext(int64_t query, T* to) {
    float* sum = scratch_.sums.row(query);
    const float factor = 1 / scratch_.totals[query];
    const int64_t d = size_.d;
#pragma omp simd
    for (int64_t i = 0; i < d; ++i) sum[i] *= factor;
    Store(sum, d, to);
  }

  const AttentionInputs<T>& in_;
  const Head head_;
  const HeadSizes size_;
  ForwardScratch<Matmul> scratch_;
  const Matmul matmul_{};
};

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_FORWARD_H_
