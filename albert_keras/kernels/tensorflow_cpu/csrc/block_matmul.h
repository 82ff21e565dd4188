// Single-threaded products C (+)= A B of matrices that stay in the caches of
// one core, for attention and as micro-kernels of packed_matmul.h.
//
// Its own code because attention's products are short, one head of one
// sequence: they are over before a library has packed its operands.
//
// FloatBlockMatmul, for float32 on any CPU, and AmxBlockMatmul, for bfloat16 on
// CPUs with AMX, have one interface. A is row-major; B was packed by Pack or
// PackTransposed; C is row-major float32. Sizes are multiples of kTile: callers
// pad matrices with zeros. If kNeedsPacking is false, a packed matrix equals
// the original, and Pack expects it in place.

#ifndef ALBERT_KERAS_BLOCK_MATMUL_H_
#define ALBERT_KERAS_BLOCK_MATMUL_H_

#include <cassert>

#include "vector_math.h"

#if defined(__AMX_BF16__) && defined(__linux__)
#define ALBERT_KERAS_AMX
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace albert_keras {

// A row-major matrix that it does not own. `stride` is the leading dimension:
// elements from one row to the next.
template <class Element>
struct MatrixView {
  Element* row(int64_t i) const { return data + i * stride; }
  operator MatrixView<const Element>() const { return {data, stride}; }

  Element* data;
  int64_t stride;
};

// The interface of both classes; rows and columns are those of `from`:
//   FromFloat(from, n, to)                   n floats as Elements
//   Pack(rows, columns, from, to)            `from` as an operand B
//   PackTransposed(rows, columns, from, to)  `from` transposed as an operand B
//   Transpose(rows, columns, from, to)       `from` transposed, row-major
//   Multiply(m, n, k, a, b, c, accumulate)   C = A B, or C += A B,
//                                            for A (m, k) and B (k, n)
class FloatBlockMatmul {
 public:
  using Element = float;
  using View = MatrixView<float>;
  using ConstView = MatrixView<const float>;

  // Callers split matrices into blocks of kCacheBlock rows.
  static constexpr int64_t kTile = 16;
  static constexpr int64_t kCacheBlock = 256;
  static constexpr bool kNeedsPacking = false;

  // A micro-kernel computes a tile of C, kTileRows x kTile, whose sums stay in
  // registers: AVX-512 has 32 of them, AVX 16.
#if defined(__AVX512F__)
  static constexpr int kVectorBytes = 64, kTileRows = 12;
#elif defined(__AVX__)
  static constexpr int kVectorBytes = 32, kTileRows = 6;
#else
  static constexpr int kVectorBytes = 16, kTileRows = 4;
#endif

  static void FromFloat(const float* from, int64_t n, float* to) {
    if (from != to) Store(from, n, to);
  }

  static void Pack(int64_t /*rows*/, int64_t /*columns*/, ConstView from,
                   View to) {
    assert(from.data == to.data);
  }

  static void PackTransposed(int64_t rows, int64_t columns, ConstView from,
                             View to) {
    Transpose(rows, columns, from, to);
  }

  static void Transpose(int64_t rows, int64_t columns, ConstView from,
                        View to) {
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) to.row(c)[r] = from.row(r)[c];
    }
  }

  void Multiply(int64_t m, int64_t n, int64_t k, ConstView a, ConstView b,
                View c, bool accumulate) const {
    for (int64_t j = 0; j < n; j += kTile) {
      for (int64_t i = 0; i < m; i += kTileRows) {
        MicroKernel<1>(m - i, k, {a.row(i), a.stride}, {b.data + j, b.stride},
                       {c.row(i) + j, c.stride}, accumulate);
      }
    }
  }

  // C (+)= A B for kTile columns and min(rows, kTileRows) rows of C. Element
  // (i, p) of A is a.row(i)[p * kColumnStride].
  template <int kColumnStride>
  static void MicroKernel(int64_t rows, int64_t k, ConstView a, ConstView b,
                          View c, bool accumulate) {
    DispatchRows<kTileRows, kColumnStride>(rows, k, a, b, c, accumulate);
  }

 private:
  static constexpr int kLanes = kVectorBytes / sizeof(float);
  static constexpr int kTileVectors = kTile / kLanes;  // of a row
  typedef float Vector __attribute__((vector_size(kVectorBytes)));

  static Vector LoadVector(const float* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }

  // Calls ComputeTile for min(rows, kMaxRows) rows.
  template <int kMaxRows, int kColumnStride>
  static void DispatchRows(int64_t rows, int64_t k, ConstView a, ConstView b,
                           View c, bool accumulate) {
    if constexpr (kMaxRows > 0) {
      if (rows >= kMaxRows) {
        ComputeTile<kMaxRows, kColumnStride>(k, a, b, c, accumulate);
      } else {
        DispatchRows<kMaxRows - 1, kColumnStride>(rows, k, a, b, c, accumulate);
      }
    }
  }

  template <int kRows, int kColumnStride>
  static void ComputeTile(int64_t k, ConstView a, ConstView b, View c,
                          bool accumulate) {
    Vector sums[kRows][kTileVectors] = {};
    for (int64_t p = 0; p < k; ++p) {
      Vector b_row[kTileVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kTileVectors; ++j) {
        b_row[j] = LoadVector(b.row(p) + j * kLanes);
      }
#pragma GCC unroll 12
      for (int i = 0; i < kRows; ++i) {
        const float factor = a.row(i)[p * kColumnStride];
#pragma GCC unroll 4
        for (int j = 0; j < kTileVectors; ++j) sums[i][j] += factor * b_row[j];
      }
    }
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kTileVectors; ++j) {
        float* to = c.row(i) + j * kLanes;
        const Vector sum =
            accumulate ? LoadVector(to) + sums[i][j] : sums[i][j];
        std::memcpy(to, &sum, sizeof sum);
      }
    }
  }
};

#ifdef ALBERT_KERAS_AMX

// bfloat16 with float32 sums, on the tiles of Intel's Advanced Matrix
// Extensions. An operand B is packed in pairs (VNNI format): row i of the
// packed matrix, 2 * stride elements, interleaves rows 2 i and 2 i + 1.
class AmxBlockMatmul {
 public:
  using Element = uint16_t;  // the bits of a bfloat16
  using View = MatrixView<uint16_t>;
  using ConstView = MatrixView<const uint16_t>;

  static constexpr int64_t kTile = 32;
  static constexpr int64_t kCacheBlock = 64;
  static constexpr bool kNeedsPacking = true;

  // Whether Linux permits this process to use AMX; requests it once.
  static bool IsAvailable() {
    constexpr int kRequestPermission = 0x1023, kTileData = 18;
    static const bool available =
        syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
    return available;
  }

  // An object configures the tiles of its thread, eight of 16 rows of 64 bytes,
  // and releases them when destroyed.
  AmxBlockMatmul() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } configuration;
    _tile_loadconfig(&configuration);
  }
  ~AmxBlockMatmul() { _tile_release(); }
  AmxBlockMatmul(const AmxBlockMatmul&) = delete;
  AmxBlockMatmul& operator=(const AmxBlockMatmul&) = delete;

  static void FromFloat(const float* from, int64_t n, uint16_t* to) {
    Store(from, n, reinterpret_cast<bfloat16*>(to));
  }

  static void Pack(int64_t rows, int64_t columns, ConstView from, View to) {
    for (int64_t r = 0; r < rows; r += 2) {
      const uint16_t *even = from.row(r), *odd = from.row(r + 1);
      auto* pairs = reinterpret_cast<uint32_t*>(to.data) + r / 2 * to.stride;
#pragma omp simd
      for (int64_t i = 0; i < columns; ++i) {
        pairs[i] = even[i] | uint32_t{odd[i]} << 16;
      }
    }
  }

  static void PackTransposed(int64_t rows, int64_t columns, ConstView from,
                             View to) {
    for (int64_t c = 0; c < columns; c += 2) {
      auto* pairs = reinterpret_cast<uint32_t*>(to.data) + c / 2 * to.stride;
      for (int64_t r = 0; r < rows; r += 16) {
        _mm512_storeu_si512(pairs + r, GatherPairs(from, r, c));
      }
    }
  }

  static void Transpose(int64_t rows, int64_t columns, ConstView from,
                        View to) {
    for (int64_t c = 0; c < columns; c += 2) {
      for (int64_t r = 0; r < rows; r += 16) {
        const __m512i pairs = GatherPairs(from, r, c);
        auto* even = reinterpret_cast<__m256i*>(to.row(c) + r);
        auto* odd = reinterpret_cast<__m256i*>(to.row(c + 1) + r);
        _mm256_storeu_si256(even, _mm512_cvtepi32_epi16(pairs));
        _mm256_storeu_si256(
            odd, _mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)));
      }
    }
  }

  void Multiply(int64_t m, int64_t n, int64_t k, ConstView a, ConstView b,
                MatrixView<float> c, bool accumulate) const {
    for (int64_t i = 0; i < m; i += kTile) {
      for (int64_t j = 0; j < n; j += kTile) {
        MicroKernel(k, {a.row(i), a.stride}, {b.data + 2 * j, b.stride},
                    {c.row(i) + j, c.stride}, accumulate);
      }
    }
  }

 private:
  // Columns c and c + 1, as pairs, of the sixteen rows from r on.
  static __m512i GatherPairs(ConstView from, int64_t r, int64_t c) {
    const __m512i rows =
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i offsets =
        _mm512_mullo_epi32(rows, _mm512_set1_epi32(2 * from.stride));
    return _mm512_i32gather_epi32(offsets, from.row(r) + c, 1);
  }

  // A 32 x 32 block of C: 2 x 2 tiles of sums (0 to 3) from two tiles of A
  // (4, 5) and two of B (6, 7). Intrinsics take strides in bytes.
  static void MicroKernel(int64_t k, ConstView a, ConstView b,
                          MatrixView<float> c, bool accumulate) {
    const int64_t a_stride = 2 * a.stride, b_stride = 4 * b.stride;
    const int64_t c_stride = 4 * c.stride;
    if (accumulate) {
      _tile_loadd(0, c.data, c_stride);
      _tile_loadd(1, c.data + 16, c_stride);
      _tile_loadd(2, c.row(16), c_stride);
      _tile_loadd(3, c.row(16) + 16, c_stride);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    for (int64_t p = 0; p < k; p += 32) {
      _tile_loadd(4, a.data + p, a_stride);
      _tile_loadd(5, a.row(16) + p, a_stride);
      _tile_loadd(6, b.row(p), b_stride);
      _tile_loadd(7, b.row(p) + 32, b_stride);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c.data, c_stride);
    _tile_stored(1, c.data + 16, c_stride);
    _tile_stored(2, c.row(16), c_stride);
    _tile_stored(3, c.row(16) + 16, c_stride);
  }
};

#endif  // ALBERT_KERAS_AMX

}  // namespace albert_keras

#endif  // ALBERT_KERAS_BLOCK_MATMUL_H_
