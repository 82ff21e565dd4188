// Vectors of float32: conversion from and to float32, bfloat16 and float16, and
// the functions of the kernels' inner loops.
//
// Written so that GCC and Clang vectorize them: std::exp and std::max_element
// stay scalar without -ffast-math, which would break NaN and infinity.

#ifndef ALBERT_KERAS_VECTOR_MATH_H_
#define ALBERT_KERAS_VECTOR_MATH_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensorflow/core/framework/types.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace albert_keras {

using tensorflow::bfloat16;

// a / b rounded up, for a >= 0 and b > 0.
inline constexpr int64_t CeilDiv(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

inline constexpr int64_t RoundUp(int64_t n, int64_t multiple) {
  return CeilDiv(n, multiple) * multiple;
}

inline float BitsToFloat(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline uint32_t FloatToBits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// The bits of the nearest bfloat16, ties to even; NaN stays NaN.
inline uint16_t RoundToBfloat16(float x) {
  const uint32_t bits = FloatToBits(x);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (x == x ? rounded : 0x7fc00000u) >> 16;
}

// Load converts n elements to float32, Store converts them back.

inline void Load(const float* from, int64_t n, float* to) {
  std::memcpy(to, from, n * sizeof *to);
}

inline void Store(const float* from, int64_t n, float* to) {
  std::memcpy(to, from, n * sizeof *to);
}

inline void Load(const bfloat16* from, int64_t n, float* to) {
  const auto* bits = reinterpret_cast<const uint16_t*>(from);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = BitsToFloat(uint32_t{bits[i]} << 16);
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
  for (int64_t j = i; j < n; ++j) bits[j] = RoundToBfloat16(from[j]);
}

inline void Load(const Eigen::half* from, int64_t n, float* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

inline void Store(const float* from, int64_t n, Eigen::half* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<Eigen::half>(from[i]);
}

// e^x within 2 ulp: with x = n log(2) + r, 2^n times a polynomial in r with
// the coefficients of Cephes' expf. x is clamped to [-88, 88]; below about
// -87.7 the result is 0.
inline float Exp(float x) {
  x = x > 88.0f ? 88.0f : x;  // comparisons in this order keep NaN
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
  return p * BitsToFloat((static_cast<int32_t>(n) + 127) << 23);
}

// x[i] = 1 / x[i] for 2^-126 < |x| < 2^126. One Newton step from a 14-bit
// estimate takes a fraction of a division's time.
inline void Reciprocal(float* x, int64_t n) {
  int64_t i = 0;
#ifdef __AVX512F__
  const __m512 two = _mm512_set1_ps(2.0f);
  for (; i + 16 <= n; i += 16) {
    const __m512 value = _mm512_loadu_ps(x + i);
    const __m512 estimate = _mm512_rcp14_ps(value);
    const __m512 correction = _mm512_fnmadd_ps(value, estimate, two);
    _mm512_storeu_ps(x + i, _mm512_mul_ps(estimate, correction));
  }
#endif
  for (; i < n; ++i) x[i] = 1.0f / x[i];
}

// The maximum of n >= 1 numbers, in sixteen explicit lanes: NaN semantics stop
// the compiler from vectorizing a plain maximum.
inline float Max(const float* x, int64_t n) {
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

}  // namespace albert_keras

#endif  // ALBERT_KERAS_VECTOR_MATH_H_
