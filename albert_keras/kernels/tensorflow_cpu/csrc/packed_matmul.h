// Multi-threaded products C = A B with an epilogue, of a matrix A (rows, depth)
// and a matrix B (depth, columns) packed in panels. A and C have the compute
// type; panels and sums are float32.
//
// Its own code because on CPUs with AVX2 and nothing wider it is faster than
// TensorFlow's MatMul (figures: docs/design.md): a weight is packed once for
// all layers, and an epilogue (bias, activation) finds C in the cache.
//
// A thread computes a cache block of C at a time, kBlockRows x
// Left::kBlockColumns, in steps of kBlockDepth: the block of A stays in L2, and
// micro-kernels read panels of B sequentially.

#ifndef ALBERT_KERAS_PACKED_MATMUL_H_
#define ALBERT_KERAS_PACKED_MATMUL_H_

#include <memory>
#include <type_traits>

#include "block_matmul.h"
#include "parallel.h"

namespace albert_keras {

constexpr int64_t kPanelWidth = FloatBlockMatmul::kTile;

// A matrix (depth, columns) in panels of kPanelWidth columns, contiguous
// (ceil(columns / kPanelWidth), depth, kPanelWidth); zeros pad the last.
struct Panels {
  const float* data;
  int64_t depth, columns;

  static int64_t Count(int64_t columns) {
    return CeilDiv(columns, kPanelWidth);
  }
  // The panel that begins with column j, a multiple of kPanelWidth.
  const float* at(int64_t j) const { return data + j * depth; }
};

template <class T>
void PackPanels(OpKernelContext* context, const T* from, int64_t depth,
                int64_t columns, float* to) {
  ParallelFor(context, Panels::Count(columns), depth * columns, [&](int64_t i) {
    const int64_t first = i * kPanelWidth;
    const int64_t width = std::min(kPanelWidth, columns - first);
    float* row = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, row += kPanelWidth) {
      Load(from + p * columns + first, width, row);
      std::fill(row + width, row + kPanelWidth, 0.0f);
    }
  });
}

// Packs the transpose (depth, columns) of a matrix (columns, depth).
template <class T>
void PackTransposedPanels(OpKernelContext* context, const T* from,
                          int64_t depth, int64_t columns, float* to) {
  ParallelFor(context, Panels::Count(columns), depth * columns, [&](int64_t i) {
    const int64_t first = i * kPanelWidth;
    float* row = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, row += kPanelWidth) {
      for (int64_t j = 0; j < kPanelWidth; ++j) {
        row[j] = first + j < columns
                     ? static_cast<float>(from[(first + j) * depth + p])
                     : 0.0f;
      }
    }
  });
}

// Smaller depths are slower. The copy of a block of A has a leading dimension
// longer by a cache line: rows 4096 bytes apart would share sets of the L1
// cache.
constexpr int64_t kBlockRows = 48, kBlockDepth = 1024;
constexpr int64_t kCopyStride = kBlockDepth + 16;

// A cache block of C: its first row and column, and its size.
struct CacheBlock {
  int64_t row, rows, column, columns;

  // Calls body(at) for each row of the block, which begins at index `at` of the
  // whole matrix, `width` wide.
  template <class Body>
  void ForEachRow(int64_t width, const Body& body) const {
    for (int64_t i = row; i < row + rows; ++i) body(i * width + column);
  }
};

// A block of A. A micro-kernel reads its rows from i on: element (i + r, p) is
// tile(i).row(r)[p * Left::kColumnStride].
struct LeftBlock {
  MatrixView<const float> tile(int64_t i) const {
    return {data + i * tile_stride, row_stride};
  }

  const float* data;
  int64_t tile_stride, row_stride;  // per row of A
};

// RowMajor and ColumnMajor are the layouts of A, `Left` below. LoadBlock
// returns the rows of a cache block, columns p to p + depth; if kCopies, it
// copies them to `copy`.

template <class T>
class RowMajor {
 public:
  static constexpr int kColumnStride = 1;
  static constexpr int64_t kBlockColumns = 192;
  static constexpr bool kCopies = !std::is_same_v<T, float>;

  RowMajor(const T* a, int64_t depth) : a_(a), depth_(depth) {}

  LeftBlock LoadBlock(const CacheBlock& block, int64_t p, int64_t depth,
                      float* copy) const {
    const T* from = a_ + block.row * depth_ + p;
    if constexpr (kCopies) {
      for (int64_t i = 0; i < block.rows; ++i) {
        Load(from + i * depth_, depth, copy + i * kCopyStride);
      }
      return {copy, kCopyStride, kCopyStride};
    } else {
      return {from, depth_, depth_};
    }
  }

 private:
  const T* a_;
  int64_t depth_;
};

// A stored transposed, (depth, rows). The copy is packed for the micro-kernel:
// kTileRows rows at a time, element (r, p) at index p * kTileRows + r.
template <class T>
class ColumnMajor {
 public:
  static constexpr int kColumnStride = FloatBlockMatmul::kTileRows;
  static constexpr int64_t kBlockColumns = 768;  // wide, as each block copies A
  static constexpr bool kCopies = true;

  ColumnMajor(const T* a, int64_t rows) : a_(a), rows_(rows) {}

  LeftBlock LoadBlock(const CacheBlock& block, int64_t p, int64_t depth,
                      float* copy) const {
    constexpr int64_t kTileRows = FloatBlockMatmul::kTileRows;
    for (int64_t i = 0; i < block.rows; i += kTileRows) {
      const int64_t rows = std::min(kTileRows, block.rows - i);
      const T* from = a_ + p * rows_ + block.row + i;
      float* to = copy + i * depth;
      for (int64_t q = 0; q < depth; ++q, from += rows_, to += kTileRows) {
        if (rows == kTileRows) {  // a constant size compiles to a few moves
          Load(from, kTileRows, to);
        } else {
          Load(from, rows, to);
        }
      }
    }
    return {copy, depth, 1};
  }

 private:
  const T* a_;
  int64_t rows_;
};

// Computes a cache block of C = A B. If C is float32, sums accumulate in C, but
// in a buffer for an incomplete last panel, since micro-kernels write whole
// panels. Otherwise they accumulate in a buffer and are converted at the end.
template <class Left, class T>
void MultiplyBlock(const Left& left, const Panels& right,
                   const CacheBlock& block, T* c) {
  constexpr int64_t kTileRows = FloatBlockMatmul::kTileRows;
  static_assert(kBlockRows % kTileRows == 0);
  constexpr bool kInPlace = std::is_same_v<T, float>;
  const std::unique_ptr<float[]> copy(
      Left::kCopies ? new float[kBlockRows * kCopyStride] : nullptr);
  const std::unique_ptr<float[]> buffer(
      kInPlace ? nullptr : new float[kBlockRows * Left::kBlockColumns]);
  alignas(64) float last_panel[kBlockRows * kPanelWidth];

  const int64_t width = right.columns;
  T* c_block = c + block.row * width + block.column;
  MatrixView<float> sums{buffer.get(), Left::kBlockColumns};
  int64_t whole_panels = block.columns;  // columns that fit into `sums`
  if constexpr (kInPlace) {
    sums = {c_block, width};
    whole_panels = block.columns / kPanelWidth * kPanelWidth;
  }
  // At least one step: without depth the sums are 0.
  const int64_t steps = std::max<int64_t>(1, CeilDiv(right.depth, kBlockDepth));
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t p = right.depth * step / steps;
    const int64_t depth = right.depth * (step + 1) / steps - p;
    const LeftBlock a = left.LoadBlock(block, p, depth, copy.get());
    for (int64_t j = 0; j < block.columns; j += kPanelWidth) {
      const float* panel = right.at(block.column + j) + p * kPanelWidth;
      const bool fits = j < whole_panels;
      const MatrixView<float> to =
          fits ? MatrixView<float>{sums.data + j, sums.stride}
               : MatrixView<float>{last_panel, kPanelWidth};
      for (int64_t i = 0; i < block.rows; i += kTileRows) {
        FloatBlockMatmul::MicroKernel<Left::kColumnStride>(
            block.rows - i, depth, a.tile(i), {panel, kPanelWidth},
            {to.row(i), to.stride}, p > 0);
      }
    }
  }
  for (int64_t i = 0; i < block.rows; ++i) {
    if constexpr (kInPlace) {
      std::copy_n(last_panel + i * kPanelWidth, block.columns - whole_panels,
                  c_block + i * width + whole_panels);
    } else {
      Store(sums.row(i), block.columns, c_block + i * width);
    }
  }
}

// Computes C = A B (rows, right.columns) and calls epilogue(block) for each
// cache block while it is in the cache. Blocks of the same columns come one
// after another to share their panels: all panels do not fit into the cache.
template <class Left, class T, class Epilogue>
void PackedMatmul(OpKernelContext* context, int64_t rows, const Left& left,
                  const Panels& right, T* c, const Epilogue& epilogue) {
  const int64_t width = right.columns;
  const int64_t row_blocks = CeilDiv(rows, kBlockRows);
  const int64_t column_blocks = CeilDiv(width, Left::kBlockColumns);
  const int64_t work = rows * width * right.depth;
  ParallelFor(context, row_blocks * column_blocks, work, [&](int64_t number) {
    const int64_t i = number % row_blocks * kBlockRows;
    const int64_t j = number / row_blocks * Left::kBlockColumns;
    const CacheBlock block{i, std::min(kBlockRows, rows - i), j,
                           std::min(Left::kBlockColumns, width - j)};
    MultiplyBlock(left, right, block, c);
    epilogue(block);
  });
}

inline void NoEpilogue(const CacheBlock& /*block*/) {}

}  // namespace albert_keras

#endif  // ALBERT_KERAS_PACKED_MATMUL_H_
