// Activations of z + bias.

#ifndef ALBERT_KERAS_BIAS_ACTIVATION_H_
#define ALBERT_KERAS_BIAS_ACTIVATION_H_

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

// The value is computed again, which is wide to keep.
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

// An activation is x times a gate, which is 1 - tail for positive x and the
// tail for others: exact at both ends. `Tails` gives those of a row.

inline float Gate(float x, float tail) { return x > 0.0f ? 1.0f - tail : tail; }

struct Linear {
  static void Tails(const float*, int64_t n, float* tail) {
    std::fill_n(tail, n, 0.0f);
  }
  static float Value(float x, float) { return x; }
  static float Slope(float, float) { return 1.0f; }
};

struct Relu {
  static void Tails(const float*, int64_t n, float* tail) {
    std::fill_n(tail, n, 0.0f);
  }
  static float Value(float x, float tail) { return x * Gate(x, tail); }
  static float Slope(float x, float tail) { return Gate(x, tail); }
};

// 0.5 x (1 + tanh(u)) = x / (1 + exp(-2 u)), u = c (x + 0.044715 x^3),
// c = sqrt(2 / pi); the tail is 1 / (1 + exp(|2 u|)).
struct GeluTanh {
  static constexpr float kTwice = 1.5957691216f;  // 2 c

  static void Tails(const float* x, int64_t n, float* tail) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const float u =
          kTwice * std::fabs(x[i]) * (1.0f + 0.044715f * x[i] * x[i]);
      tail[i] = 1.0f + Exp(u);
    }
    Invert(tail, n);
  }
  static float Value(float x, float tail) { return x * Gate(x, tail); }
  static float Slope(float x, float tail) {
    return Gate(x, tail) +
           x * tail * (1.0f - tail) * kTwice * (1.0f + 3 * 0.044715f * x * x);
  }
};

// x Phi(x), by Abramowitz and Stegun's 7.1.26 for the error function, whose
// error is at most 1.5e-7.
struct Gelu {
  static void Tails(const float* x, int64_t n, float* tail) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      tail[i] = 1.0f + 0.3275911f * 0.70710678118f * std::fabs(x[i]);
    }
    Invert(tail, n);
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

// Calls function(Linear()) and so on for an activation's name.
template <class Function>
void WithActivation(const std::string& name, const Function& function) {
  if (name == "linear") function(Linear());
  if (name == "relu") function(Relu());
  if (name == "gelu_tanh") function(GeluTanh());
  if (name == "gelu") function(Gelu());
}

// Columns at a time, whose scratch stays in the nearest cache.
constexpr int64_t kPiece = 512;

// z + bias of a piece, and its tails.
template <class Activation, class T>
void LoadPiece(const T* z, const float* bias, int64_t n, float* v,
               float* tail) {
  Load(z, n, v);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) v[i] += bias[i];
  Activation::Tails(v, n, tail);
}

// y = activation(z + bias) of n numbers that lie side by side.
template <class Activation, class T>
void Activate(const T* z, const float* bias, int64_t n, T* y) {
  float v[kPiece], tail[kPiece];
  for (int64_t at = 0; at < n; at += kPiece) {
    const int64_t size = std::min(kPiece, n - at);
    LoadPiece<Activation>(z + at, bias + at, size, v, tail);
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) v[i] = Activation::Value(v[i], tail[i]);
    Store(v, size, y + at);
  }
}

// The same y, and dz from dy, which adds to dbias.
template <class Activation, class T>
void ActivateBackward(const T* z, const float* bias, const T* dy, int64_t n,
                      T* y, T* dz, float* dbias) {
  float v[kPiece], d[kPiece], tail[kPiece];
  for (int64_t at = 0; at < n; at += kPiece) {
    const int64_t size = std::min(kPiece, n - at);
    LoadPiece<Activation>(z + at, bias + at, size, v, tail);
    Load(dy + at, size, d);
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) {
      d[i] *= Activation::Slope(v[i], tail[i]);
      v[i] = Activation::Value(v[i], tail[i]);
      dbias[at + i] += d[i];
    }
    Store(v, size, y + at);
    Store(d, size, dz + at);
  }
}

// Calls `Own`'s ComputeFor(context, Relu()) and so on, as the attribute says.
template <class Own>
class ActivationKernel : public tensorflow::OpKernel {
 public:
  explicit ActivationKernel(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("activation", &activation_));
  }

  void Compute(OpKernelContext* context) override {
    WithActivation(activation_, [&](auto activation) {
      static_cast<Own*>(this)->ComputeFor(context, activation);
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
  void ComputeFor(OpKernelContext* context, Activation) {
    const int64_t width = LastDimension(context->input(0));
    const int64_t rows = context->input(0).NumElements() / width;
    const T* z = context->input(0).flat<T>().data();
    const float* bias = context->input(1).flat<float>().data();
    T* y = OutputInPlace<T>(context, 0, 0);
    if (!y) return;

    const RowBlocks blocks(rows);
    InParallel(context, blocks.count(), rows * width, [&](int64_t block) {
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        Activate<Activation>(z + r * width, bias, width, y + r * width);
      }
    });
  }
};

ALBERT_KERAS_REGISTER("AlbertBiasActivation", BiasActivation);

template <class T>
class BiasActivationGrad : public ActivationKernel<BiasActivationGrad<T>> {
 public:
  using ActivationKernel<BiasActivationGrad<T>>::ActivationKernel;

  template <class Activation>
  void ComputeFor(OpKernelContext* context, Activation) {
    const int64_t width = LastDimension(context->input(0));
    const int64_t rows = context->input(0).NumElements() / width;
    const T* z = context->input(0).flat<T>().data();
    const float* bias = context->input(1).flat<float>().data();
    const T* dy = context->input(2).flat<T>().data();
    T* y = OutputInPlace<T>(context, 0, 0);
    T* dz = OutputInPlace<T>(context, 2, 1);
    float* dbias = Output<float>(context, 2, {width});
    if (!y || !dz || !dbias) return;

    const RowBlocks blocks(rows);
    BlockSums sums(blocks.count(), 1, width);
    InParallel(context, blocks.count(), rows * width, [&](int64_t block) {
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        const int64_t at = r * width;
        ActivateBackward<Activation>(z + at, bias, dy + at, width, y + at,
                                     dz + at, sums.of(block, 0));
      }
    });
    sums.AddUp(0, dbias);
  }
};

ALBERT_KERAS_REGISTER("AlbertBiasActivationGrad", BiasActivationGrad);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_BIAS_ACTIVATION_H_
