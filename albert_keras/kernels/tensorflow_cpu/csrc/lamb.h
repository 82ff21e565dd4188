// LAMB's update of all variables of a model, in place.

#ifndef ALBERT_KERAS_LAMB_H_
#define ALBERT_KERAS_LAMB_H_

#include <limits>
#include <memory>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "op_helpers.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace albert_keras {

// `corrections` are what m and v are multiplied by, 1 / (1 - beta^t); the rates
// are 1 - beta, which float32 would round. Nothing is clipped where
// `global_clipnorm` is 0. What differs by variable stands in lists.
REGISTER_OP("AlbertLamb")
    .Input("variables: N * resource")
    .Input("moments: N * resource")
    .Input("velocities: N * resource")
    .Input("gradients: N * float")
    .Input("learning_rate: float")
    .Input("corrections: float")
    .Attr("N: int >= 1")
    .Attr("learning_rate_factors: list(float)")
    .Attr("weight_decays: list(float)")
    .Attr("adapts: list(bool)")
    .Attr("moment_rate: float")
    .Attr("velocity_rate: float")
    .Attr("epsilon: float")
    .Attr("global_clipnorm: float")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext*) { return absl::OkStatus(); });

class Lamb : public tensorflow::OpKernel {
  static constexpr int64_t kChunk = 1 << 13;  // elements at a time
  static constexpr int64_t kPiece = 1 << 10;  // that are summed in float32

  struct Variable {
    float *w, *m, *v;
    const float* g;
    float learning_rate, decay;
    bool adapts;
    double weights = 0, updates = 0;  // sums of squares
  };

  struct Held {
    tensorflow::core::RefCountPtr<tensorflow::Var> variable;
    std::unique_ptr<tensorflow::mutex_lock> lock;  // goes first
  };

  // Elements of one variable, and what it adds to sums of squares.
  struct Chunk {
    Variable* variable;
    int64_t begin, size;
    double weights = 0, updates = 0, gradients = 0;
  };

 public:
  explicit Lamb(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("N", &count_));
    OP_REQUIRES_OK(context,
                   context->GetAttr("learning_rate_factors", &factors_));
    OP_REQUIRES_OK(context, context->GetAttr("weight_decays", &decays_));
    OP_REQUIRES_OK(context, context->GetAttr("adapts", &adapts_));
    OP_REQUIRES_OK(context, context->GetAttr("moment_rate", &moment_rate_));
    OP_REQUIRES_OK(context, context->GetAttr("velocity_rate", &velocity_rate_));
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
    OP_REQUIRES_OK(context, context->GetAttr("global_clipnorm", &clipnorm_));
#ifdef __GLIBC__
    // The graph has been made and optimized; what that took would stay beside
    // the tensors of the updates.
    malloc_trim(0);
#endif
  }

  void Compute(OpKernelContext* context) override {
    std::vector<Held> held;
    const float learning_rate = context->input(4 * count_).flat<float>()(0);
    const auto corrections = context->input(4 * count_ + 1).flat<float>();
    std::vector<Variable> variables(count_);
    std::vector<Chunk> chunks;
    int64_t all = 0;
    for (int i = 0; i < count_; ++i) {
      Variable& variable = variables[i];
      const Tensor& gradient = context->input(3 * count_ + i);
      OP_REQUIRES_OK(context, Take(context, i, gradient, &held, &variable.w));
      OP_REQUIRES_OK(context,
                     Take(context, count_ + i, gradient, &held, &variable.m));
      OP_REQUIRES_OK(
          context, Take(context, 2 * count_ + i, gradient, &held, &variable.v));
      variable.g = gradient.flat<float>().data();
      variable.learning_rate = learning_rate * factors_[i];
      variable.decay = decays_[i];
      variable.adapts = adapts_[i];
      const int64_t n = gradient.NumElements();
      for (int64_t begin = 0; begin < n; begin += kChunk) {
        chunks.push_back({&variable, begin, std::min(kChunk, n - begin)});
      }
      all += n;
    }

    const auto for_each_chunk = [&](auto work) {
      InParallel(context, chunks.size(), all,
                 [&](int64_t i) { work(&chunks[i]); });
    };
    float clip = 1.0f;
    if (clipnorm_ > 0) {
      for_each_chunk([](Chunk* chunk) { AddGradients(chunk); });
      clip = ClippingFactor(chunks);
    }
    const float m_factor = corrections(0), v_factor = corrections(1);
    for_each_chunk(
        [=](Chunk* chunk) { Move(clip, m_factor, v_factor, chunk); });
    for (const Chunk& chunk : chunks) {
      chunk.variable->weights += chunk.weights;
      chunk.variable->updates += chunk.updates;
    }
    for_each_chunk([=](Chunk* chunk) { Apply(m_factor, v_factor, chunk); });
  }

 private:
  // Locks the variable of an input, and gives its value, in memory that
  // nothing else reads.
  static absl::Status Take(OpKernelContext* context, int input,
                           const Tensor& gradient, std::vector<Held>* held,
                           float** data) {
    held->emplace_back();
    auto& [variable, lock] = held->back();
    TF_RETURN_IF_ERROR(LookupResource(
        context, tensorflow::HandleFromInput(context, input), &variable));
    lock = std::make_unique<tensorflow::mutex_lock>(*variable->mu());
    Tensor* value = variable->tensor();
    if (value->shape() != gradient.shape()) {
      return tensorflow::errors::InvalidArgument(
          "A gradient must have its variable's shape. Received: ",
          gradient.shape().DebugString(), " for ", value->shape().DebugString(),
          ".");
    }
    TF_RETURN_IF_ERROR(MakeSole(context, value));
    *data = value->flat<float>().data();
    return absl::OkStatus();
  }

  static absl::Status MakeSole(OpKernelContext* context, Tensor* value) {
    if (value->RefCountIsOne()) return absl::OkStatus();
    Tensor copy;
    TF_RETURN_IF_ERROR(
        context->allocate_temp(value->dtype(), value->shape(), &copy));
    std::memcpy(copy.data(), value->data(), value->TotalBytes());
    *value = copy;
    return absl::OkStatus();
  }

  static void AddGradients(Chunk* chunk) {
    const float* g = chunk->variable->g + chunk->begin;
    for (int64_t at = 0; at < chunk->size; at += kPiece) {
      const int64_t end = std::min(at + kPiece, chunk->size);
      float squares = 0;
#pragma omp simd reduction(+ : squares)
      for (int64_t i = at; i < end; ++i) squares += g[i] * g[i];
      chunk->gradients += squares;
    }
  }

  // None where the norm is none, as in Keras: no weight may hide it.
  float ClippingFactor(const std::vector<Chunk>& chunks) const {
    double squares = 0;
    for (const Chunk& chunk : chunks) squares += chunk.gradients;
    const double norm = std::sqrt(squares);
    if (!std::isfinite(norm)) return std::numeric_limits<float>::quiet_NaN();
    return norm > clipnorm_ ? clipnorm_ / norm : 1.0f;
  }

  float Update(float w, float m, float v, float m_factor, float v_factor,
               float decay) const {
    return m * m_factor / (std::sqrt(v * v_factor) + epsilon_) + decay * w;
  }

  void Move(float clip, float m_factor, float v_factor, Chunk* chunk) const {
    const Variable& variable = *chunk->variable;
    const float *w = variable.w + chunk->begin, *g = variable.g + chunk->begin;
    float *m = variable.m + chunk->begin, *v = variable.v + chunk->begin;
    const float decay = variable.decay;
    for (int64_t at = 0; at < chunk->size; at += kPiece) {
      const int64_t end = std::min(at + kPiece, chunk->size);
      float weights = 0, updates = 0;
#pragma omp simd reduction(+ : weights, updates)
      for (int64_t i = at; i < end; ++i) {
        const float gradient = clip * g[i];
        m[i] += (gradient - m[i]) * moment_rate_;
        v[i] += (gradient * gradient - v[i]) * velocity_rate_;
        const float u = Update(w[i], m[i], v[i], m_factor, v_factor, decay);
        weights += w[i] * w[i];
        updates += u * u;
      }
      chunk->weights += weights;
      chunk->updates += updates;
    }
  }

  void Apply(float m_factor, float v_factor, Chunk* chunk) const {
    const Variable& variable = *chunk->variable;
    float* w = variable.w + chunk->begin;
    const float *m = variable.m + chunk->begin, *v = variable.v + chunk->begin;
    const float decay = variable.decay;
    float rate = variable.learning_rate;
    if (variable.adapts && variable.weights > 0 && variable.updates > 0) {
      rate *= std::sqrt(variable.weights / variable.updates);
    }
#pragma omp simd
    for (int64_t i = 0; i < chunk->size; ++i) {
      w[i] -= rate * Update(w[i], m[i], v[i], m_factor, v_factor, decay);
    }
  }

  int count_;
  std::vector<float> factors_, decays_;
  std::vector<bool> adapts_;
  float moment_rate_, velocity_rate_, epsilon_, clipnorm_;
};

REGISTER_KERNEL_BUILDER(Name("AlbertLamb").Device(tensorflow::DEVICE_CPU),
                        Lamb);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_LAMB_H_
