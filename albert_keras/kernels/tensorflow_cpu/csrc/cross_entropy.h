// Cross entropy and accuracy of the scores of many classes.

#ifndef ALBERT_KERAS_VOCABULARY_H_
#define ALBERT_KERAS_VOCABULARY_H_

#include "op_helpers.h"

namespace albert_keras {

REGISTER_OP("AlbertSparseCrossEntropy")
    .Input("labels: int32")
    .Input("logits: T")
    .Output("loss: float")
    .Output("log_sums: float")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      return absl::OkStatus();
    });

REGISTER_OP("AlbertSparseCrossEntropyGrad")
    .Input("labels: int32")
    .Input("logits: T")
    .Input("log_sums: float")
    .Input("dloss: float")
    .Output("dlogits: T")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(1));
      return absl::OkStatus();
    });

// 1 where no class beats the label's score, or ties with it before, else 0.
REGISTER_OP("AlbertSparseAccuracy")
    .Input("labels: int32")
    .Input("logits: T")
    .Output("accuracy: float")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      return absl::OkStatus();
    });

// The labels, checked, and the logits of each row in float32.
template <class T>
class ClassesKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

 protected:
  // Runs row(r, label, logits) for each row; logits may be written to.
  template <class Row>
  void ForEachRow(OpKernelContext* context, const Row& row) {
    const Tensor& labels = context->input(0);
    const Tensor& logits = context->input(1);
    const int64_t classes = LastDimension(logits);
    const int64_t rows = labels.NumElements();
    const int32_t* label = labels.flat<int32_t>().data();
    const T* from = logits.flat<T>().data();
    OP_REQUIRES(context, rows * classes == logits.NumElements(),
                tensorflow::errors::InvalidArgument(
                    "Each label must have a row of logits. Received: labels ",
                    labels.shape().DebugString(), ", logits ",
                    logits.shape().DebugString(), "."));
    for (int64_t r = 0; r < rows; ++r) {
      OP_REQUIRES(context, label[r] >= 0 && label[r] < classes,
                  tensorflow::errors::InvalidArgument(
                      "Labels must be from 0 to ", classes - 1,
                      ". Received: ", label[r], "."));
    }
    const RowBlocks blocks(rows);
    InParallel(context, blocks.count(), rows * classes, [&](int64_t block) {
      std::vector<float> scratch(classes);
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        Load(from + r * classes, classes, scratch.data());
        row(r, label[r], classes, scratch.data());
      }
    });
  }
};

template <class T>
class SparseCrossEntropy : public ClassesKernel<T> {
 public:
  using ClassesKernel<T>::ClassesKernel;

  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    float* loss = Output<float>(context, 0, shape);
    float* log_sums = Output<float>(context, 1, shape);
    if (!loss || !log_sums) return;
    this->ForEachRow(context, [=](int64_t r, int32_t label, int64_t classes,
                                  const float* x) {
      const float highest = Highest(x, classes);
      float total = 0;
#pragma omp simd reduction(+ : total)
      for (int64_t i = 0; i < classes; ++i) total += Exp(x[i] - highest);
      log_sums[r] = highest + std::log(total);
      loss[r] = log_sums[r] - x[label];
    });
  }
};

ALBERT_KERAS_REGISTER("AlbertSparseCrossEntropy", SparseCrossEntropy);

template <class T>
class SparseCrossEntropyGrad : public ClassesKernel<T> {
 public:
  using ClassesKernel<T>::ClassesKernel;

  void Compute(OpKernelContext* context) override {
    const float* log_sums = context->input(2).flat<float>().data();
    const float* dloss = context->input(3).flat<float>().data();
    T* dlogits = OutputInPlace<T>(context, 1, 0);
    if (!dlogits) return;
    this->ForEachRow(context,
                     [=](int64_t r, int32_t label, int64_t classes, float* x) {
                       const float log_sum = log_sums[r], factor = dloss[r];
#pragma omp simd
                       for (int64_t i = 0; i < classes; ++i) {
                         x[i] = Exp(x[i] - log_sum) * factor;
                       }
                       x[label] -= factor;
                       Store(x, classes, dlogits + r * classes);
                     });
  }
};

ALBERT_KERAS_REGISTER("AlbertSparseCrossEntropyGrad", SparseCrossEntropyGrad);

template <class T>
class SparseAccuracy : public ClassesKernel<T> {
 public:
  using ClassesKernel<T>::ClassesKernel;

  void Compute(OpKernelContext* context) override {
    float* accuracy = Output<float>(context, 0, context->input(0).shape());
    if (!accuracy) return;
    this->ForEachRow(context, [=](int64_t r, int32_t label, int64_t classes,
                                  const float* x) {
      int beaten = 0;
#pragma omp simd reduction(| : beaten)
      for (int64_t i = 0; i < label; ++i) beaten |= x[i] >= x[label];
#pragma omp simd reduction(| : beaten)
      for (int64_t i = label; i < classes; ++i) beaten |= x[i] > x[label];
      accuracy[r] = beaten ? 0.0f : 1.0f;
    });
  }
};

ALBERT_KERAS_REGISTER("AlbertSparseAccuracy", SparseAccuracy);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_VOCABULARY_H_
