// Loops on the threads of TensorFlow's session, and sums over rows that come
// out the same on any number of threads.

#ifndef ALBERT_KERAS_PARALLEL_H_
#define ALBERT_KERAS_PARALLEL_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tensorflow/core/framework/op_kernel.h"
#include "vector_math.h"

namespace albert_keras {

using tensorflow::OpKernelContext;

// Calls body(i) for 0 <= i < n on the session's intra-op threads, one index at
// a time; on the calling thread if `total_work`, in elements, is small.
inline void ParallelFor(OpKernelContext* context, int64_t n, int64_t total_work,
                        const std::function<void(int64_t)>& body) {
  constexpr int64_t kSmall = 1 << 14;
  if (n == 1 || total_work < kSmall) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  using tensorflow::thread::ThreadPool;
  const ThreadPool::SchedulingParams one_by_one(
      ThreadPool::SchedulingStrategy::kFixedBlockSize, std::nullopt, 1);
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
      n, one_by_one, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) body(i);
      });
}

// Splits rows into at most kMaxBlocks blocks. The split depends only on the
// number of rows, so sums taken block by block are deterministic.
struct RowBlocks {
  static constexpr int64_t kMaxBlocks = 16;

  explicit RowBlocks(int64_t rows)
      : rows(rows), size(std::max<int64_t>(8, CeilDiv(rows, kMaxBlocks))) {}

  int64_t count() const { return CeilDiv(rows, size); }
  int64_t begin(int64_t block) const { return block * size; }
  int64_t end(int64_t block) const {
    return std::min(rows, (block + 1) * size);
  }

  int64_t rows, size;
};

// Partial sums (blocks, vectors, width): each block adds to its own vectors,
// without locks, and Reduce adds up the blocks in order.
class PartialSums {
 public:
  PartialSums(int64_t blocks, int64_t vectors, int64_t width)
      : blocks_(blocks), stride_(vectors * width), width_(width) {
    sums_.resize(blocks * stride_);
  }

  float* at(int64_t block, int64_t vector) {
    return &sums_[block * stride_ + vector * width_];
  }

  void Reduce(int64_t vector, float* total) {
    std::fill_n(total, width_, 0.0f);
    for (int64_t block = 0; block < blocks_; ++block) {
      const float* sums = at(block, vector);
      for (int64_t i = 0; i < width_; ++i) total[i] += sums[i];
    }
  }

 private:
  int64_t blocks_, stride_, width_;
  std::vector<float> sums_;
};

}  // namespace albert_keras

#endif  // ALBERT_KERAS_PARALLEL_H_
