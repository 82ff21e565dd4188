// Products whose right-hand side has been laid out in panels: a granule of
// columns each, which a core reads from one end to the other. In float32.

#ifndef ALBERT_KERAS_PACKED_PRODUCTS_H_
#define ALBERT_KERAS_PACKED_PRODUCTS_H_

#include <memory>

#include "block_products.h"

namespace albert_keras {

constexpr int64_t kPanel = FloatBlocks::kGranule;

// A matrix (depth, columns) as panels (ceil(columns / kPanel), depth, kPanel),
// the last filled up with zeros.
struct Panels {
  const float* data;
  int64_t depth, columns;

  static int64_t Count(int64_t columns) {
    return (columns + kPanel - 1) / kPanel;
  }
  // The one that begins with column j.
  const float* at(int64_t j) const { return data + j * depth; }
};

inline void PackPanels(OpKernelContext* context, const float* from,
                       int64_t depth, int64_t columns, float* to) {
  InParallel(context, Panels::Count(columns), depth * columns, [&](int64_t i) {
    const int64_t first = i * kPanel;
    const int64_t width = std::min(kPanel, columns - first);
    float* panel = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, panel += kPanel) {
      std::copy_n(from + p * columns + first, width, panel);
      std::fill(panel + width, panel + kPanel, 0.0f);
    }
  });
}

// Panels of the transposed (columns, depth).
inline void PackTransposedPanels(OpKernelContext* context, const float* from,
                                 int64_t depth, int64_t columns, float* to) {
  InParallel(context, Panels::Count(columns), depth * columns, [&](int64_t i) {
    const int64_t first = i * kPanel;
    float* panel = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, panel += kPanel) {
      for (int64_t j = 0; j < kPanel; ++j) {
        panel[j] = first + j < columns ? from[(first + j) * depth + p] : 0.0f;
      }
    }
  });
}

// How left-hand sides (rows, depth) are read: some columns of some rows.
class AsRows {  // that lie row by row
 public:
  static constexpr int kStep = 1;
  static constexpr int64_t kColumns = 192;  // of a unit

  AsRows(const float* x, int64_t depth) : x_(x), depth_(depth) {}
  void Take(int64_t first, int64_t, int64_t p, int64_t) {
    block_ = x_ + first * depth_ + p;
  }
  const float* row(int64_t i) const { return block_ + i * depth_; }
  int64_t stride() const { return depth_; }

 private:
  const float *x_, *block_ = nullptr;
  int64_t depth_;
};

class AsColumns {  // that lie transposed: (depth, rows)
 public:
  static constexpr int kStep = FloatBlocks::kRowsAtOnce;
  static constexpr int64_t kColumns = 768;  // each unit copies its rows

  AsColumns(const float* x, int64_t rows) : x_(x), rows_(rows) {}
  void Take(int64_t first, int64_t count, int64_t p, int64_t depth) {
    depth_ = depth;
    block_.resize((count + kStep - 1) / kStep * kStep * depth);
    for (int64_t i = 0; i < count; i += kStep) {
      const int64_t some = std::min<int64_t>(kStep, count - i);
      float* to = block_.data() + i * depth;
      for (int64_t q = 0; q < depth; ++q, to += kStep) {
        const float* from = x_ + (p + q) * rows_ + first + i;
        if (some == kStep) {
          std::memcpy(to, from, kStep * sizeof *to);
        } else {
          std::copy_n(from, some, to);
        }
      }
    }
  }
  const float* row(int64_t i) const { return block_.data() + i * depth_; }
  int64_t stride() const { return 1; }

 private:
  const float* x_;
  int64_t rows_, depth_ = 0;
  std::vector<float> block_;
};

// Rows and depth of what a core computes at a time: its left-hand side stays
// in the second cache. Less depth costs speed.
constexpr int64_t kUnitRows = 48, kUnitDepth = 1024;

template <class Left>
void MultiplyUnit(Left left, const Panels& right, int64_t first_row,
                  int64_t rows, int64_t first_column, int64_t columns,
                  float* c) {
  constexpr int64_t kRows = FloatBlocks::kRowsAtOnce;
  const int64_t width = right.columns, whole = columns / kPanel * kPanel;
  alignas(64) float rest[kUnitRows * kPanel];  // columns of half a panel
  float* to = c + first_row * width + first_column;
  // One even without depth: sums of nothing are 0.
  const int64_t steps = 1 + std::max<int64_t>(0, right.depth - 1) / kUnitDepth;
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t p = right.depth * step / steps;
    const int64_t depth = right.depth * (step + 1) / steps - p;
    left.Take(first_row, rows, p, depth);
    for (int64_t j = 0; j < columns; j += kPanel) {
      const float* panel = right.at(first_column + j) + p * kPanel;
      const bool fits = j < whole;
      const int64_t stride = fits ? width : kPanel;
      for (int64_t i = 0; i < rows; i += kRows) {
        FloatBlocks::Granule<Left::kStep>(
            rows - i, depth, left.row(i), left.stride(), panel, kPanel,
            (fits ? to + j : rest) + i * stride, stride, p > 0);
      }
    }
  }
  for (int64_t i = 0; whole < columns && i < rows; ++i) {
    std::copy_n(rest + i * kPanel, columns - whole, to + i * width + whole);
  }
}

inline void NoMore(int64_t, int64_t, int64_t, int64_t) {}

// c = left right, (rows, right.columns), in units; done(first row, rows,
// first column, columns) is called for each while it is in the caches. Those
// of the same columns come one after another: panels are more than a cache
// holds.
template <class Left, class Done>
void Multiply(OpKernelContext* context, int64_t rows, const Left& left,
              const Panels& right, float* c, const Done& done) {
  const int64_t width = right.columns;
  const int64_t down = (rows + kUnitRows - 1) / kUnitRows;
  const int64_t across = (width + Left::kColumns - 1) / Left::kColumns;
  const int64_t work = rows * width * right.depth;
  InParallel(context, down * across, work, [&](int64_t unit) {
    const int64_t i = unit % down * kUnitRows;
    const int64_t j = unit / down * Left::kColumns;
    const int64_t count = std::min(kUnitRows, rows - i);
    const int64_t columns = std::min(Left::kColumns, width - j);
    MultiplyUnit(left, right, i, count, j, columns, c);
    done(i, count, j, columns);
  });
}

}  // namespace albert_keras

#endif  // ALBERT_KERAS_PACKED_PRODUCTS_H_
