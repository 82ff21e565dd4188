// LAMB's update of all variables of a model, in place (You et al. 2020,
// arXiv:1904.00962). For each variable w with gradient g, and moments m and v:
//
//   g <- g min(1, global_clipnorm / |all gradients|)
//   m <- m + moment_rate (g - m)
//   v <- v + velocity_rate (g^2 - v)
//   u = m corrections[0] / (sqrt(v corrections[1]) + epsilon) + decay w
//   w <- w - learning_rate factor |w| / |u| u
//
// Its own kernel because it reads each variable, m and v twice and writes them
// once, where Keras's ops take a dozen passes over memory.

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

// `corrections` are 1 / (1 - beta^t) for m and v. The rates are 1 - beta, which
// float32 would round. The lists have an item per variable; `adapts` says
// whether the factor |w| / |u| applies. `global_clipnorm` 0 means no clipping.
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
    .SetShapeFn([](InferenceContext* /*c*/) { return absl::OkStatus(); });

class Lamb : public OpKernel {
  static constexpr int64_t kChunk = 1 << 13;     // elements of a task
  static constexpr int64_t kFloatSum = 1 << 10;  // elements summed in float32

  struct Variable {
    float *w, *m, *v;
    const float* g;
    float learning_rate, decay;
    bool adapts;
    double w_squares = 0, u_squares = 0;
  };

  // Members are destroyed in reverse order: the lock is released first.
  struct LockedVariable {
    tensorflow::core::RefCountPtr<tensorflow::Var> variable;
    std::unique_ptr<tensorflow::mutex_lock> lock;
  };

  // Elements of one variable, and their sums of squares.
  struct Chunk {
    Variable* variable;
    int64_t begin, size;
    double w_squares = 0, u_squares = 0, g_squares = 0;
  };

 public:
  explicit Lamb(OpKernelConstruction* context) : OpKernel(context) {
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
    // The graph has been built and optimized by now. Returns the memory that
    // took: else the process keeps it in addition to the updates' tensors.
    malloc_trim(0);
#endif
  }

  void Compute(OpKernelContext* context) override {
    std::vector<LockedVariable> locked;
    std::vector<Variable> variables(count_);
    std::vector<Chunk> chunks;
    int64_t elements = 0;
    for (int i = 0; i < count_; ++i) {
      OP_REQUIRES_OK(context, LoadVariable(context, i, &locked, &variables[i]));
      const int64_t n = context->input(3 * count_ + i).NumElements();
      for (int64_t begin = 0; begin < n; begin += kChunk) {
        chunks.push_back({&variables[i], begin, std::min(kChunk, n - begin)});
      }
      elements += n;
    }

    const auto for_each_chunk = [&](auto body) {
      ParallelFor(context, chunks.size(), elements,
                  [&](int64_t i) { body(&chunks[i]); });
    };
    float clip = 1.0f;
    if (clipnorm_ > 0) {
      for_each_chunk([](Chunk* chunk) { SumGradientSquares(chunk); });
      clip = ClippingFactor(chunks);
    }
    const auto corrections = context->input(4 * count_ + 1).flat<float>();
    const float m_factor = corrections(0), v_factor = corrections(1);
    for_each_chunk(
        [=](Chunk* chunk) { UpdateMoments(clip, m_factor, v_factor, chunk); });
    for (const Chunk& chunk : chunks) {
      chunk.variable->w_squares += chunk.w_squares;
      chunk.variable->u_squares += chunk.u_squares;
    }
    for_each_chunk(
        [=](Chunk* chunk) { UpdateWeights(m_factor, v_factor, chunk); });
  }

 private:
  // Locks variable i, its moment and its velocity; sets all but the sums.
  absl::Status LoadVariable(OpKernelContext* context, int i,
                            std::vector<LockedVariable>* locked,
                            Variable* variable) const {
    const Tensor& gradient = context->input(3 * count_ + i);
    float** const data[] = {&variable->w, &variable->m, &variable->v};
    for (int j = 0; j < 3; ++j) {
      TF_RETURN_IF_ERROR(
          Lock(context, j * count_ + i, gradient, locked, data[j]));
    }
    variable->g = gradient.flat<float>().data();
    const float learning_rate = context->input(4 * count_).flat<float>()(0);
    variable->learning_rate = learning_rate * factors_[i];
    variable->decay = decays_[i];
    variable->adapts = adapts_[i];
    return absl::OkStatus();
  }

  // Locks the variable of an input, and sets *data to its elements, in memory
  // that no other tensor shares.
  static absl::Status Lock(OpKernelContext* context, int input,
                           const Tensor& gradient,
                           std::vector<LockedVariable>* locked, float** data) {
    locked->emplace_back();
    auto& [variable, lock] = locked->back();
    TF_RETURN_IF_ERROR(LookupResource(
        context, tensorflow::HandleFromInput(context, input), &variable));
    lock = std::make_unique<tensorflow::mutex_lock>(*variable->mu());
    Tensor* value = variable->tensor();
    if (value->shape() != gradient.shape()) {
      return InvalidArgument(
          "A gradient must have its variable's shape. Received: ",
          gradient.shape().DebugString(), " for ", value->shape().DebugString(),
          ".");
    }
    TF_RETURN_IF_ERROR(CopyIfShared(context, value));
    *data = value->flat<float>().data();
    return absl::OkStatus();
  }

  static absl::Status CopyIfShared(OpKernelContext* context, Tensor* value) {
    if (value->RefCountIsOne()) return absl::OkStatus();
    Tensor copy;
    TF_RETURN_IF_ERROR(
        context->allocate_temp(value->dtype(), value->shape(), &copy));
    std::memcpy(copy.data(), value->data(), value->TotalBytes());
    *value = copy;
    return absl::OkStatus();
  }

  static void SumGradientSquares(Chunk* chunk) {
    const float* g = chunk->variable->g + chunk->begin;
    for (int64_t at = 0; at < chunk->size; at += kFloatSum) {
      const int64_t end = std::min(at + kFloatSum, chunk->size);
      float squares = 0;
#pragma omp simd reduction(+ : squares)
      for (int64_t i = at; i < end; ++i) squares += g[i] * g[i];
      chunk->g_squares += squares;
    }
  }

  // NaN if the norm is not finite, as in Keras, so that no weight hides it.
  float ClippingFactor(const std::vector<Chunk>& chunks) const {
    double squares = 0;
    for (const Chunk& chunk : chunks) squares += chunk.g_squares;
    const double norm = std::sqrt(squares);
    if (!std::isfinite(norm)) return std::numeric_limits<float>::quiet_NaN();
    return norm > clipnorm_ ? clipnorm_ / norm : 1.0f;
  }

  // u of one element.
  float Direction(float w, float m, float v, float m_factor, float v_factor,
                  float decay) const {
    return m * m_factor / (std::sqrt(v * v_factor) + epsilon_) + decay * w;
  }

  void UpdateMoments(float clip, float m_factor, float v_factor,
                     Chunk* chunk) const {
    const Variable& variable = *chunk->variable;
    const float *w = variable.w + chunk->begin, *g = variable.g + chunk->begin;
    float *m = variable.m + chunk->begin, *v = variable.v + chunk->begin;
    const float decay = variable.decay;
    for (int64_t at = 0; at < chunk->size; at += kFloatSum) {
      const int64_t end = std::min(at + kFloatSum, chunk->size);
      float w_squares = 0, u_squares = 0;
#pragma omp simd reduction(+ : w_squares, u_squares)
      for (int64_t i = at; i < end; ++i) {
        const float gradient = clip * g[i];
        m[i] += (gradient - m[i]) * moment_rate_;
        v[i] += (gradient * gradient - v[i]) * velocity_rate_;
        const float u = Direction(w[i], m[i], v[i], m_factor, v_factor, decay);
        w_squares += w[i] * w[i];
        u_squares += u * u;
      }
      chunk->w_squares += w_squares;
      chunk->u_squares += u_squares;
    }
  }

  // Recomputes u rather than storing it.
  void UpdateWeights(float m_factor, float v_factor, Chunk* chunk) const {
    const Variable& variable = *chunk->variable;
    float* w = variable.w + chunk->begin;
    const float *m = variable.m + chunk->begin, *v = variable.v + chunk->begin;
    const float decay = variable.decay;
    float rate = variable.learning_rate;
    if (variable.adapts && variable.w_squares > 0 && variable.u_squares > 0) {
      rate *= std::sqrt(variable.w_squares / variable.u_squares);
    }
#pragma omp simd
    for (int64_t i = 0; i < chunk->size; ++i) {
      w[i] -= rate * Direction(w[i], m[i], v[i], m_factor, v_factor, decay);
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
