// y = activation(z + bias) for z (..., H) and a float32 bias (H,); and its
// gradient.
//
// Its own kernel because TensorFlow's ops take a pass over memory for each step
// of an activation and keep y. Here each direction is one pass, and the
// backward pass recomputes y rather than storing it: it is the widest tensor.

#ifndef ALBERT_KERAS_BIAS_ACTIVATION_H_
#define ALBERT_KERAS_BIAS_ACTIVATION_H_

#include <string>

#include "op_helpers.h"
#include "tensorflow/core/framework/common_shape_fns.h"

namespace albert_keras {

REGISTER_OP("AlbertBiasActivation")
    .Input("z: T")
    .Input("bias: float")
    .Output("y: T")
    .Attr("T: {float, bfloat16, half}")
    .Attr("activation: {'linear', 'gelu_tanh', 'gelu', 'relu'}")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_OP("AlbertBiasActivationGrad")
    .Input("z: T")
    .Input("bias: float")
    .Input("dy: T")
    .Output("y: T")
    .Output("dz: T")
    .Output("dbias: float")
    .Attr("T: {float, bfloat16, half}")
    .Attr("activation: {'linear', 'gelu_tanh', 'gelu', 'relu'}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      c->set_output(2, c->input(1));
      return absl::OkStatus();
    });

// An activation is x times a gate between 0 and 1. Tails computes gate(-|x|) of
// a vector, which is precise far from 0 on both sides; from x and its tail,
// Value is the activation and Slope its derivative.

inline float Gate(float x, float tail) { return x > 0.0f ? 1.0f - tail : tail; }

struct Linear {
  static void Tails(const float* /*x*/, int64_t n, float* tail) {
    std::fill_n(tail, n, 0.0f);
  }
  static float Value(float x, float /*tail*/) { return x; }
  static float Slope(float /*x*/, float /*tail*/) { return 1.0f; }
};

struct Relu {
  static void Tails(const float* /*x*/, int64_t n, float* tail) {
    std::fill_n(tail, n, 0.0f);
  }
  static float Value(float x, float tail) { return x * Gate(x, tail); }
  static float Slope(float x, float tail) { return Gate(x, tail); }
};

// 0.5 x (1 + tanh(u)) = x / (1 + exp(-2 u)), u = c (x + 0.044715 x^3),
// c = sqrt(2 / pi); the tail is 1 / (1 + exp(|2 u|)).
struct GeluTanh {
  static constexpr float kTwoC = 1.5957691216f;

  static void Tails(const float* x, int64_t n, float* tail) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const float two_u =
          kTwoC * std::fabs(x[i]) * (1.0f + 0.044715f * x[i] * x[i]);
      tail[i] = 1.0f + Exp(two_u);
    }
    Reciprocal(tail, n);
  }
  static float Value(float x, float tail) { return x * Gate(x, tail); }
  static float Slope(float x, float tail) {
    return Gate(x, tail) +
           x * tail * (1.0f - tail) * kTwoC * (1.0f + 3 * 0.044715f * x * x);
  }
};

// x Phi(x), with the error function by Abramowitz and Stegun's 7.1.26, whose
// error is at most 1.5e-7.
struct Gelu {
  static void Tails(const float* x, int64_t n, float* tail) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      tail[i] = 1.0f + 0.3275911f * 0.70710678118f * std::fabs(x[i]);
    }
    Reciprocal(tail, n);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const float t = tail[i];
      float p = 1.061405429f;
      p = p * t - 1.453152027f;
      p = p * t + 1.421413741f;
      p = p * t - 0.284496736f;
      p = p * t + 0.254829592f;
      tail[i] = 0.5f * p * t * Exp(-0.5f * x[i] * x[i]);
    }
  }
  static float Value(float x, float tail) { return x * Gate(x, tail); }
  static float Slope(float x, float tail) {
    return Gate(x, tail) + x * 0.39894228040f * Exp(-0.5f * x * x);
  }
};

// Calls function(Gelu()) for "gelu", and so on.
template <class Function>
void WithActivation(const std::string& name, const Function& function) {
  if (name == "linear") function(Linear());
  if (name == "relu") function(Relu());
  if (name == "gelu_tanh") function(GeluTanh());
  if (name == "gelu") function(Gelu());
}

// Elements of a row per step: the buffers of a step stay in L1.
constexpr int64_t kActivationChunk = 512;

// x = z + bias of n elements, and their tails.
template <class Activation, class T>
void LoadWithTails(const T* z, const float* bias, int64_t n, float* x,
                   float* tail) {
  Load(z, n, x);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x[i] += bias[i];
  Activation::Tails(x, n, tail);
}

// y = activation(z + bias) of n contiguous elements.
template <class Activation, class T>
void Activate(const T* z, const float* bias, int64_t n, T* y) {
  float x[kActivationChunk], tail[kActivationChunk];
  for (int64_t at = 0; at < n; at += kActivationChunk) {
    const int64_t size = std::min(kActivationChunk, n - at);
    LoadWithTails<Activation>(z + at, bias + at, size, x, tail);
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) x[i] = Activation::Value(x[i], tail[i]);
    Store(x, size, y + at);
  }
}

// Recomputes y, computes dz from dy, and adds dz to dbias. y may be in the
// memory of z, and dz in that of dy.
template <class Activation, class T>
void ActivateBackward(const T* z, const float* bias, const T* dy, int64_t n,
                      T* y, T* dz, float* dbias) {
  float x[kActivationChunk], d[kActivationChunk], tail[kActivationChunk];
  for (int64_t at = 0; at < n; at += kActivationChunk) {
    const int64_t size = std::min(kActivationChunk, n - at);
    LoadWithTails<Activation>(z + at, bias + at, size, x, tail);
    Load(dy + at, size, d);
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) {
      d[i] *= Activation::Slope(x[i], tail[i]);
      x[i] = Activation::Value(x[i], tail[i]);
      dbias[at + i] += d[i];
    }
    Store(x, size, y + at);
    Store(d, size, dz + at);
  }
}

// Base of ops with an `activation` attribute: calls Derived::ComputeFor<Gelu>
// for "gelu", and so on.
template <class Derived>
class ActivationKernel : public OpKernel {
 public:
  explicit ActivationKernel(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("activation", &activation_));
  }

  void Compute(OpKernelContext* context) override {
    WithActivation(activation_, [&](auto activation) {
      static_cast<Derived*>(this)->template ComputeFor<decltype(activation)>(
          context);
    });
  }

 private:
  std::string activation_;
};

template <class T>
class BiasActivation : public ActivationKernel<BiasActivation<T>> {
 public:
  using ActivationKernel<BiasActivation<T>>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context) {
    const int64_t width = LastDimension(context->input(0));
    const int64_t rows = context->input(0).NumElements() / width;
    const T* z = context->input(0).flat<T>().data();
    const float* bias = context->input(1).flat<float>().data();
    T* y = ReuseInputAsOutput<T>(context, 0, 0);
    if (!y) return;

    const RowBlocks blocks(rows);
    ParallelFor(context, blocks.count(), rows * width, [&](int64_t block) {
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        Activate<Activation>(z + r * width, bias, width, y + r * width);
      }
    });
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertBiasActivation", BiasActivation);

template <class T>
class BiasActivationGrad : public ActivationKernel<BiasActivationGrad<T>> {
 public:
  using ActivationKernel<BiasActivationGrad<T>>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context) {
    const int64_t width = LastDimension(context->input(0));
    const int64_t rows = context->input(0).NumElements() / width;
    const T* z = context->input(0).flat<T>().data();
    const float* bias = context->input(1).flat<float>().data();
    const T* dy = context->input(2).flat<T>().data();
    T* y = ReuseInputAsOutput<T>(context, 0, 0);
    T* dz = ReuseInputAsOutput<T>(context, 2, 1);
    float* dbias = AllocateOutput<float>(context, 2, {width});
    if (!y || !dz || !dbias) return;

    const RowBlocks blocks(rows);
    PartialSums sums(blocks.count(), 1, width);
    ParallelFor(context, blocks.count(), rows * width, [&](int64_t block) {
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        const int64_t at = r * width;
        ActivateBackward<Activation>(z + at, bias, dy + at, width, y + at,
                                     dz + at, sums.at(block, 0));
      }
    });
    sums.Reduce(0, dbias);
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertBiasActivationGrad", BiasActivationGrad);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_BIAS_ACTIVATION_H_
