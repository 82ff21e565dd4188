// Scratch memory of attention: matrices of one head, padded to the tiles of a
// micro-kernel, and their loading from the inputs.

#ifndef ALBERT_KERAS_ATTENTION_SCRATCH_H_
#define ALBERT_KERAS_ATTENTION_SCRATCH_H_

#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#include "attention_inputs.h"
#include "block_matmul.h"

namespace albert_keras {

// A row-major matrix, uninitialized. Its leading dimension is a cache line
// longer than its rows: rows a power of two apart would share cache sets.
template <class Element>
class ScratchMatrix {
 public:
  ScratchMatrix(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), stride(columns + 64 / sizeof(Element)) {
    memory_.reset(new (std::align_val_t(64)) Element[rows * stride]);
  }

  Element* row(int64_t i) { return memory_.get() + i * stride; }

  // The matrix without the rows and columns before these.
  MatrixView<Element> view(int64_t first_row = 0, int64_t first_column = 0) {
    return {row(first_row) + first_column, stride};
  }

  int64_t rows, columns, stride;

 private:
  struct Free {
    void operator()(Element* memory) const {
      operator delete[](memory, std::align_val_t(64));
    }
  };
  std::unique_ptr<Element[], Free> memory_;
};

// `packed` if Matmul needs packing and rounding; else `plain`, which is read
// without a copy, and `packed` has no rows.
template <class Matmul, class Plain>
ScratchMatrix<typename Matmul::Element>& PackedOrPlain(
    ScratchMatrix<typename Matmul::Element>& packed,
    ScratchMatrix<Plain>& plain) {
  if constexpr (Matmul::kNeedsPacking) {
    return packed;
  } else {
    return plain;
  }
}

// Sizes of one head's matrices, and these padded to tiles. Queries are
// processed in blocks of `block_queries`, a multiple of the tile.
struct HeadSizes {
  HeadSizes(const Head& head, int64_t head_dim, int64_t tile,
            int64_t max_queries)
      : d(head_dim),
        padded_d(RoundUp(head_dim, tile)),
        keys(head.keys),
        padded_keys(RoundUp(head.keys, tile)),
        block_queries(std::min(max_queries, RoundUp(head.queries, tile))) {}

  int64_t d, padded_d, keys, padded_keys, block_queries;
};

// Zeros everything except the top left (rows, columns).
template <class Element>
void PadWithZeros(int64_t rows, int64_t columns,
                  ScratchMatrix<Element>* matrix) {
  for (int64_t r = 0; r < matrix->rows; ++r) {
    Element* row = matrix->row(r);
    std::fill(row + (r < rows ? columns : 0), row + matrix->columns, Element{});
  }
}

// Loads rows first to first + count of a head's queries, keys or values, adds
// their bias, and pads with zeros.
template <class Matmul, class T>
void LoadRows(const AttentionInputs<T>& in, Part part, const Head& head,
              int64_t first, int64_t count,
              ScratchMatrix<typename Matmul::Element>* to) {
  const MatrixView<const T> from = in.PartRows(part, head);
  const float* bias = in.bias + in.BiasOffset(part, head);
  const int64_t d = in.head_dim;
  std::vector<float> scratch(d);
  // A head's rows are far apart, so hardware prefetchers miss them.
  constexpr int64_t kRowsAhead = 16, kCacheLine = 64 / sizeof(T);
  for (int64_t r = 0; r < count; ++r) {
    const T* ahead = from.row(first + std::min(r + kRowsAhead, count - 1));
    for (int64_t i = 0; i < d; i += kCacheLine) __builtin_prefetch(ahead + i);
    float* x = scratch.data();
    if constexpr (std::is_same_v<typename Matmul::Element, float>) {
      x = to->row(r);
    }
    Load(from.row(first + r), d, x);
#pragma omp simd
    for (int64_t i = 0; i < d; ++i) x[i] += bias[i];
    Matmul::FromFloat(x, d, to->row(r));
  }
  PadWithZeros(count, d, to);
}

}  // namespace albert_keras

#endif  // ALBERT_KERAS_ATTENTION_SCRATCH_H_
