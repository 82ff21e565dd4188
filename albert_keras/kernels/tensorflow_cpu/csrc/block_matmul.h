// Products of blocks of matrices that stay in the caches of one core.
//
// A left-hand side is a matrix of Elements, row by row. A right-hand side is
// one that Pack or PackTransposed have arranged. Sizes are multiples of
// kGranule, and what fills a size up is zero. Where kPacks is false, what is
// packed is the same as it was, and so may its place be.

#ifndef ALBERT_KERAS_BLOCK_PRODUCTS_H_
#define ALBERT_KERAS_BLOCK_PRODUCTS_H_

#include <cassert>

#include "op_helpers.h"

#if defined(__AMX_BF16__) && defined(__linux__)
#define ALBERT_KERAS_AMX
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace albert_keras {

// In float32. A product with so short rows is over before a library has
// rearranged its sides.
class FloatBlocks {
 public:
  using Element = float;
  static constexpr int64_t kGranule = 16, kRows = 256;
  static constexpr bool kPacks = false;

  static void FromFloat(const float* from, int64_t n, float* to) {
    if (from != to) Store(from, n, to);
  }

  static void Pack(const float* from, int64_t, int64_t, int64_t, float* to,
                   int64_t) {
    assert(from == to);
  }

  static void PackTransposed(const float* from, int64_t from_stride,
                             int64_t rows, int64_t columns, float* to,
                             int64_t to_stride) {
    Transpose(from, from_stride, rows, columns, to, to_stride);
  }

  static void Transpose(const float* from, int64_t from_stride, int64_t rows,
                        int64_t columns, float* to, int64_t to_stride) {
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) {
        to[c * to_stride + r] = from[r * from_stride + c];
      }
    }
  }

  // c (+)= a b, for a (m, k), b (k, n).
  void Product(int64_t m, int64_t n, int64_t k, const float* a,
               int64_t a_stride, const float* b, int64_t b_stride, float* c,
               int64_t c_stride, bool adds) const {
    for (int64_t j = 0; j < n; j += kGranule) {
      for (int64_t i = 0; i < m; i += kRowsAtOnce) {
        Granule<1>(m - i, k, a + i * a_stride, a_stride, b + j, b_stride,
                   c + i * c_stride + j, c_stride, adds);
      }
    }
  }

  // One granule of columns of at most kRowsAtOnce rows of c (+)= a b, where
  // a's element of row i and column p is a[i * a_stride + p * kStep].
  template <int kStep>
  static void Granule(int64_t rows, int64_t k, const float* a, int64_t a_stride,
                      const float* b, int64_t b_stride, float* c,
                      int64_t c_stride, bool adds) {
    UpTo<kRowsAtOnce, kStep>(rows, k, a, a_stride, b, b_stride, c, c_stride,
                             adds);
  }

  // Bytes of a register, and rows whose sums of one granule stay in
  // registers: AVX-512 has 32, AVX has 16.
#if defined(__AVX512F__)
  static constexpr int kBytes = 64, kRowsAtOnce = 12;
#elif defined(__AVX__)
  static constexpr int kBytes = 32, kRowsAtOnce = 6;
#else
  static constexpr int kBytes = 16, kRowsAtOnce = 4;
#endif

 private:
  static constexpr int kLanes = kBytes / sizeof(float);
  static constexpr int kParts = kGranule / kLanes;
  typedef float Lanes __attribute__((vector_size(kBytes)));

  static Lanes LanesAt(const float* place) {
    Lanes lanes;
    std::memcpy(&lanes, place, sizeof lanes);
    return lanes;
  }

  // Of as many rows as there are, at most kMost.
  template <int kMost, int kStep>
  static void UpTo(int64_t rows, int64_t k, const float* a, int64_t a_stride,
                   const float* b, int64_t b_stride, float* c, int64_t c_stride,
                   bool adds) {
    if constexpr (kMost > 0) {
      if (rows >= kMost) {
        Rows<kMost, kStep>(k, a, a_stride, b, b_stride, c, c_stride, adds);
      } else {
        UpTo<kMost - 1, kStep>(rows, k, a, a_stride, b, b_stride, c, c_stride,
                               adds);
      }
    }
  }

  template <int kCount, int kStep>
  static void Rows(int64_t k, const float* a, int64_t a_stride, const float* b,
                   int64_t b_stride, float* c, int64_t c_stride, bool adds) {
    Lanes sums[kCount][kParts] = {};
    for (int64_t p = 0; p < k; ++p) {
      Lanes row[kParts];
#pragma GCC unroll 4
      for (int j = 0; j < kParts; ++j) {
        row[j] = LanesAt(b + p * b_stride + j * kLanes);
      }
#pragma GCC unroll 12
      for (int i = 0; i < kCount; ++i) {
        const float factor = a[i * a_stride + p * kStep];
#pragma GCC unroll 4
        for (int j = 0; j < kParts; ++j) sums[i][j] += factor * row[j];
      }
    }
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kParts; ++j) {
        float* place = c + i * c_stride + j * kLanes;
        const Lanes sum = adds ? LanesAt(place) + sums[i][j] : sums[i][j];
        std::memcpy(place, &sum, sizeof sum);
      }
    }
  }
};

#ifdef ALBERT_KERAS_AMX

// In bfloat16 with sums in float32, by the tiles of Intel's Advanced Matrix
// Extensions. A packed matrix holds two rows in one: pairs of elements that
// stand in one column.
class TileBlocks {
 public:
  using Element = uint16_t;
  static constexpr int64_t kGranule = 32, kRows = 64;
  static constexpr bool kPacks = true;

  // Whether Linux lets this process use the tiles.
  static bool Allowed() {
    constexpr int kRequestPermission = 0x1023, kTileData = 18;
    static const bool allowed =
        syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
    return allowed;
  }

  // An object's life is that of the tiles' configuration on its thread:
  // eight of 16 rows of 64 bytes.
  TileBlocks() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } configuration;
    _tile_loadconfig(&configuration);
  }
  ~TileBlocks() { _tile_release(); }
  TileBlocks(const TileBlocks&) = delete;
  TileBlocks& operator=(const TileBlocks&) = delete;

  static void FromFloat(const float* from, int64_t n, uint16_t* to) {
    Store(from, n, reinterpret_cast<bfloat16*>(to));
  }

  static void Pack(const uint16_t* from, int64_t from_stride, int64_t rows,
                   int64_t columns, uint16_t* to, int64_t to_stride) {
    for (int64_t r = 0; r < rows; r += 2) {
      const uint16_t* one = from + r * from_stride;
      const uint16_t* other = one + from_stride;
      auto* pairs = reinterpret_cast<uint32_t*>(to) + r / 2 * to_stride;
#pragma omp simd
      for (int64_t i = 0; i < columns; ++i) {
        pairs[i] = one[i] | uint32_t{other[i]} << 16;
      }
    }
  }

  static void PackTransposed(const uint16_t* from, int64_t from_stride,
                             int64_t rows, int64_t columns, uint16_t* to,
                             int64_t to_stride) {
    for (int64_t c = 0; c < columns; c += 2) {
      auto* pairs = reinterpret_cast<uint32_t*>(to) + c / 2 * to_stride;
      for (int64_t r = 0; r < rows; r += 16) {
        _mm512_storeu_si512(pairs + r,
                            Column(from + r * from_stride + c, from_stride));
      }
    }
  }

  static void Transpose(const uint16_t* from, int64_t from_stride, int64_t rows,
                        int64_t columns, uint16_t* to, int64_t to_stride) {
    for (int64_t c = 0; c < columns; c += 2) {
      for (int64_t r = 0; r < rows; r += 16) {
        const __m512i pairs = Column(from + r * from_stride + c, from_stride);
        uint16_t* place = to + c * to_stride + r;
        auto* one = reinterpret_cast<__m256i*>(place);
        auto* other = reinterpret_cast<__m256i*>(place + to_stride);
        _mm256_storeu_si256(one, _mm512_cvtepi32_epi16(pairs));
        _mm256_storeu_si256(
            other, _mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)));
      }
    }
  }

  void Product(int64_t m, int64_t n, int64_t k, const uint16_t* a,
               int64_t a_stride, const uint16_t* b, int64_t b_stride, float* c,
               int64_t c_stride, bool adds) const {
    for (int64_t i = 0; i < m; i += 32) {
      for (int64_t j = 0; j < n; j += 32) {
        TwoByTwo(k, a + i * a_stride, a_stride, b + 2 * j, b_stride,
                 c + i * c_stride + j, c_stride, adds);
      }
    }
  }

 private:
  // Two elements side by side, of sixteen rows.
  static __m512i Column(const uint16_t* from, int64_t stride) {
    const __m512i numbers =
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i offsets =
        _mm512_mullo_epi32(numbers, _mm512_set1_epi32(2 * stride));
    return _mm512_i32gather_epi32(offsets, from, 1);
  }

  static void TwoByTwo(int64_t k, const uint16_t* a, int64_t a_stride,
                       const uint16_t* b, int64_t b_stride, float* c,
                       int64_t c_stride, bool adds) {
    if (adds) {
      _tile_loadd(0, c, 4 * c_stride);
      _tile_loadd(1, c + 16, 4 * c_stride);
      _tile_loadd(2, c + 16 * c_stride, 4 * c_stride);
      _tile_loadd(3, c + 16 * c_stride + 16, 4 * c_stride);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    for (int64_t p = 0; p < k; p += 32) {
      _tile_loadd(4, a + p, 2 * a_stride);
      _tile_loadd(5, a + 16 * a_stride + p, 2 * a_stride);
      _tile_loadd(6, b + p * b_stride, 4 * b_stride);
      _tile_loadd(7, b + p * b_stride + 32, 4 * b_stride);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, 4 * c_stride);
    _tile_stored(1, c + 16, 4 * c_stride);
    _tile_stored(2, c + 16 * c_stride, 4 * c_stride);
    _tile_stored(3, c + 16 * c_stride + 16, 4 * c_stride);
  }
};

#endif  // ALBERT_KERAS_AMX

}  // namespace albert_keras

#endif  // ALBERT_KERAS_BLOCK_PRODUCTS_H_
