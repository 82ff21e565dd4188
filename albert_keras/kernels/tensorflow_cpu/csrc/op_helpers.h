// Rows of tensors as float32 and back, and how work is shared out.

#ifndef ALBERT_KERAS_ROWS_H_
#define ALBERT_KERAS_ROWS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace albert_keras {

using tensorflow::bfloat16;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::InferenceContext;

// a / b rounded up, for a >= 0 and b > 0.
inline constexpr int64_t CeilDiv(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

inline float AsFloat(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline uint32_t AsBits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// The bits of the nearest bfloat16, ties to even.
inline uint16_t RoundedBits(float x) {
  const uint32_t bits = AsBits(x);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (x == x ? rounded : 0x7fc00000u) >> 16;
}

inline void Load(const float* from, int64_t n, float* to) {
  std::memcpy(to, from, n * sizeof *to);
}

inline void Store(const float* from, int64_t n, float* to) {
  std::memcpy(to, from, n * sizeof *to);
}

inline void Load(const bfloat16* from, int64_t n, float* to) {
  const auto* bits = reinterpret_cast<const uint16_t*>(from);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = AsFloat(uint32_t{bits[i]} << 16);
}

inline void Store(const float* from, int64_t n, bfloat16* to) {
  auto* bits = reinterpret_cast<uint16_t*>(to);
  int64_t i = 0;
#ifdef __AVX512BF16__
  for (; i + 16 <= n; i += 16) {
    const auto sixteen = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + i));
    std::memcpy(bits + i, &sixteen, sizeof sixteen);
  }
#endif
#pragma omp simd
  for (int64_t j = i; j < n; ++j) bits[j] = RoundedBits(from[j]);
}

inline void Load(const Eigen::half* from, int64_t n, float* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

inline void Store(const float* from, int64_t n, Eigen::half* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<Eigen::half>(from[i]);
}

// e^x in 2 units in the last place: 2^n times a polynomial of the rest, whose
// coefficients are those of Cephes' expf. It is 0 below e^-88,
// about the normal numbers, and e^88 above that.
inline float Exp(float x) {
  x = x > 88.0f ? 88.0f : x;  // what is no number stays none
  x = x < -88.0f ? -88.0f : x;
  const float n = std::rint(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * AsFloat((static_cast<int32_t>(n) + 127) << 23);
}

// 1 / x of each, for 2^-126 < |x| < 2^126: Newton's step from an estimate in
// 14 bits takes a fraction of a division's time.
inline void Invert(float* x, int64_t n) {
  int64_t i = 0;
#ifdef __AVX512F__
  const __m512 two = _mm512_set1_ps(2.0f);
  for (; i + 16 <= n; i += 16) {
    const __m512 from = _mm512_loadu_ps(x + i);
    const __m512 guess = _mm512_rcp14_ps(from);
    const __m512 rest = _mm512_fnmadd_ps(from, guess, two);
    _mm512_storeu_ps(x + i, _mm512_mul_ps(guess, rest));
  }
#endif
  for (; i < n; ++i) x[i] = 1.0f / x[i];
}

// In sixteen lanes: compilers keep the order of comparisons, for numbers that
// are none.
inline float Highest(const float* x, int64_t n) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, x[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int64_t j = 0; j < kLanes; ++j) {
      lanes[j] = lanes[j] < x[i + j] ? x[i + j] : lanes[j];
    }
  }
  for (; i < n; ++i) lanes[0] = std::max(lanes[0], x[i]);
  return *std::max_element(lanes, lanes + kLanes);
}

// Runs work(i) for 0 <= i < n on the threads that the operations of the
// session share, each i by itself; alone where all is little work.
inline void InParallel(OpKernelContext* context, int64_t n, int64_t all_work,
                       const std::function<void(int64_t)>& work) {
  constexpr int64_t kLittle = 1 << 14;
  if (n == 1 || all_work < kLittle) {
    for (int64_t i = 0; i < n; ++i) work(i);
    return;
  }
  using tensorflow::thread::ThreadPool;
  const ThreadPool::SchedulingParams one_by_one(
      ThreadPool::SchedulingStrategy::kFixedBlockSize, std::nullopt, 1);
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
      n, one_by_one, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) work(i);
      });
}

// Blocks of rows. Their number depends on the rows alone, so that sums over
// rows, taken block by block, come out the same on any number of threads.
struct RowBlocks {
  static constexpr int64_t kMost = 16;

  explicit RowBlocks(int64_t rows)
      : rows(rows), size(std::max<int64_t>(8, CeilDiv(rows, kMost))) {}

  int64_t count() const { return CeilDiv(rows, size); }
  int64_t begin(int64_t block) const { return block * size; }
  int64_t end(int64_t block) const {
    return std::min(rows, (block + 1) * size);
  }

  int64_t rows, size;
};

// What each block of rows adds to vectors of one width.
class BlockSums {
 public:
  BlockSums(int64_t blocks, int64_t vectors, int64_t width)
      : blocks_(blocks), stride_(vectors * width), width_(width) {
    sums_.resize(blocks * stride_);
  }

  float* of(int64_t block, int64_t vector) {
    return &sums_[block * stride_ + vector * width_];
  }

  void AddUp(int64_t vector, float* total) {
    std::fill_n(total, width_, 0.0f);
    for (int64_t block = 0; block < blocks_; ++block) {
      const float* sums = of(block, vector);
      for (int64_t i = 0; i < width_; ++i) total[i] += sums[i];
    }
  }

 private:
  int64_t blocks_, stride_, width_;
  std::vector<float> sums_;
};

template <class T>
T* Output(OpKernelContext* context, int index, const TensorShape& shape) {
  Tensor* output = nullptr;
  const auto status = context->allocate_output(index, shape, &output);
  if (!status.ok()) {
    context->CtxFailure(status);
    return nullptr;
  }
  return output->flat<T>().data();
}

// As Output, in the memory of an input that nothing else will read.
template <class T>
T* OutputInPlace(OpKernelContext* context, int input, int index) {
  Tensor* output = nullptr;
  const auto status = context->forward_input_or_allocate_output(
      {input}, index, context->input(input).shape(), &output);
  if (!status.ok()) {
    context->CtxFailure(status);
    return nullptr;
  }
  return output->flat<T>().data();
}

inline int64_t LastDimension(const Tensor& x) {
  return x.dim_size(x.dims() - 1);
}

}  // namespace albert_keras

#define ALBERT_KERAS_REGISTER(NAME, KERNEL)                                    \
  REGISTER_KERNEL_BUILDER(                                                     \
      Name(NAME).Device(tensorflow::DEVICE_CPU).TypeConstraint<float>("T"),    \
      KERNEL<float>);                                                          \
  REGISTER_KERNEL_BUILDER(                                                     \
      Name(NAME).Device(tensorflow::DEVICE_CPU).TypeConstraint<bfloat16>("T"), \
      KERNEL<bfloat16>);                                                       \
  REGISTER_KERNEL_BUILDER(Name(NAME)                                           \
                              .Device(tensorflow::DEVICE_CPU)                  \
                              .TypeConstraint<Eigen::half>("T"),               \
                          KERNEL<Eigen::half>)

#endif  // ALBERT_KERAS_ROWS_H_
