// Products whose right-hand side has been laid out in panels: a granule of
// columns each, which a core reads from one end to the other. Panels and sums
// are float32, whatever comes in and goes out.

#ifndef ALBERT_KERAS_PACKED_PRODUCTS_H_
#define ALBERT_KERAS_PACKED_PRODUCTS_H_

#include <memory>
#include <type_traits>

#include "block_matmul.h"

namespace albert_keras {

constexpr int64_t kPanel = FloatBlocks::kGranule;

// A matrix (depth, columns) as panels (ceil(columns / kPanel), depth, kPanel),
// the last filled up with zeros.
struct Panels {
  const float* data;
  int64_t depth, columns;

  static int64_t Count(int64_t columns) { return CeilDiv(columns, kPanel); }
  // The one that begins with column j.
  const float* at(int64_t j) const { return data + j * depth; }
};

template <class T>
void PackPanels(OpKernelContext* context, const T* from, int64_t depth,
                int64_t columns, float* to) {
  InParallel(context, Panels::Count(columns), depth * columns, [&](int64_t i) {
    const int64_t first = i * kPanel;
    const int64_t width = std::min(kPanel, columns - first);
    float* panel = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, panel += kPanel) {
      Load(from + p * columns + first, width, panel);
      std::fill(panel + width, panel + kPanel, 0.0f);
    }
  });
}

// Panels of the transposed (columns, depth).
template <class T>
void PackTransposedPanels(OpKernelContext* context, const T* from,
                          int64_t depth, int64_t columns, float* to) {
  InParallel(context, Panels::Count(columns), depth * columns, [&](int64_t i) {
    const int64_t first = i * kPanel;
    float* panel = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, panel += kPanel) {
      for (int64_t j = 0; j < kPanel; ++j) {
        panel[j] = first + j < columns
                       ? static_cast<float>(from[(first + j) * depth + p])
                       : 0.0f;
      }
    }
  });
}

// Rows and depth of what a core computes at a time: its left-hand side stays
// in the second cache. Less depth costs speed. Rows 4096 bytes from one another
// would share a place in the first cache.
constexpr int64_t kUnitRows = 48, kUnitDepth = 1024;
constexpr int64_t kStride = kUnitDepth + 16;  // of a copy

struct Unit {
  int64_t row, rows, column, columns;

  // do_row(at) for each of its rows, which begins at `at` in the whole.
  template <class DoRow>
  void ForRows(int64_t width, const DoRow& do_row) const {
    for (int64_t i = row; i < row + rows; ++i) do_row(i * width + column);
  }
};

// A unit's left-hand side. Of the rows from i on that are computed at once,
// element p of row r is row(i)[r * stride + p * kStep].
struct LeftRows {
  const float* row(int64_t i) const { return data + i * apart; }

  const float* data;
  int64_t apart, stride;
};

// Left-hand sides (rows, depth), of which some columns of some rows are taken,
// with memory for a copy.
template <class T>
class AsRows {  // that lie row by row
 public:
  static constexpr int kStep = 1;
  static constexpr int64_t kColumns = 192;  // of a unit
  static constexpr bool kCopies = !std::is_same_v<T, float>;

  AsRows(const T* x, int64_t depth) : x_(x), depth_(depth) {}
  LeftRows Take(const Unit& unit, int64_t p, int64_t depth, float* copy) const {
    const T* from = x_ + unit.row * depth_ + p;
    if constexpr (kCopies) {
      for (int64_t i = 0; i < unit.rows; ++i) {
        Load(from + i * depth_, depth, copy + i * kStride);
      }
      return {copy, kStride, kStride};
    } else {
      return {from, depth_, depth_};
    }
  }

 private:
  const T* x_;
  int64_t depth_;
};

template <class T>
class AsColumns {  // that lie transposed: (depth, rows)
 public:
  static constexpr int kStep = FloatBlocks::kRowsAtOnce;
  static constexpr int64_t kColumns = 768;  // each unit copies its rows
  static constexpr bool kCopies = true;

  AsColumns(const T* x, int64_t rows) : x_(x), rows_(rows) {}
  LeftRows Take(const Unit& unit, int64_t p, int64_t depth, float* copy) const {
    for (int64_t i = 0; i < unit.rows; i += kStep) {
      const int64_t some = std::min<int64_t>(kStep, unit.rows - i);
      const T* from = x_ + p * rows_ + unit.row + i;
      float* to = copy + i * depth;
      for (int64_t q = 0; q < depth; ++q, from += rows_, to += kStep) {
        if (some == kStep) {
          Load(from, kStep, to);
        } else {
          Load(from, some, to);
        }
      }
    }
    return {copy, depth, 1};
  }

 private:
  const T* x_;
  int64_t rows_;
};

template <class Left, class T>
void MultiplyUnit(const Left& left, const Panels& right, const Unit& unit,
                  T* c) {
  constexpr int64_t kRows = FloatBlocks::kRowsAtOnce;
  static_assert(kUnitRows % kRows == 0);
  constexpr bool kInPlace = std::is_same_v<T, float>;
  const std::unique_ptr<float[]> copy(
      Left::kCopies ? new float[kUnitRows * kStride] : nullptr);
  const std::unique_ptr<float[]> sums(
      kInPlace ? nullptr : new float[kUnitRows * Left::kColumns]);
  alignas(64) float rest[kUnitRows * kPanel];  // columns of half a panel

  const int64_t width = right.columns;
  T* place = c + unit.row * width + unit.column;
  float* to = sums.get();
  int64_t to_stride = Left::kColumns, whole = unit.columns;
  if constexpr (kInPlace) {
    to = place;
    to_stride = width;
    whole = unit.columns / kPanel * kPanel;
  }
  // One even without depth: sums of nothing are 0.
  const int64_t steps = std::max<int64_t>(1, CeilDiv(right.depth, kUnitDepth));
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t p = right.depth * step / steps;
    const int64_t depth = right.depth * (step + 1) / steps - p;
    const LeftRows from = left.Take(unit, p, depth, copy.get());
    for (int64_t j = 0; j < unit.columns; j += kPanel) {
      const float* panel = right.at(unit.column + j) + p * kPanel;
      const bool fits = j < whole;
      const int64_t stride = fits ? to_stride : kPanel;
      for (int64_t i = 0; i < unit.rows; i += kRows) {
        FloatBlocks::Granule<Left::kStep>(
            unit.rows - i, depth, from.row(i), from.stride, panel, kPanel,
            (fits ? to + j : rest) + i * stride, stride, p > 0);
      }
    }
  }
  for (int64_t i = 0; i < unit.rows; ++i) {
    if constexpr (kInPlace) {
      std::copy_n(rest + i * kPanel, unit.columns - whole,
                  place + i * width + whole);
    } else {
      Store(to + i * to_stride, unit.columns, place + i * width);
    }
  }
}

// c = left right, (rows, right.columns), in units; done(unit) is called for
// each while it is in the caches. Those of the same columns come one after
// another: panels are more than a cache holds.
template <class Left, class T, class Done>
void Multiply(OpKernelContext* context, int64_t rows, const Left& left,
              const Panels& right, T* c, const Done& done) {
  const int64_t width = right.columns;
  const int64_t down = CeilDiv(rows, kUnitRows);
  const int64_t across = CeilDiv(width, Left::kColumns);
  const int64_t work = rows * width * right.depth;
  InParallel(context, down * across, work, [&](int64_t number) {
    const int64_t i = number % down * kUnitRows;
    const int64_t j = number / down * Left::kColumns;
    const Unit unit{i, std::min(kUnitRows, rows - i), j,
                    std::min(Left::kColumns, width - j)};
    MultiplyUnit(left, right, unit, c);
    done(unit);
  });
}

inline void NoMore(const Unit&) {}

}  // namespace albert_keras

#endif  // ALBERT_KERAS_PACKED_PRODUCTS_H_
