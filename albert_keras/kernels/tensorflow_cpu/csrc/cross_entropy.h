// Cross entropy, its gradient, and accuracy of logits (..., V) against int32
// labels (...): loss = log(sum(exp(logits))) - logits[label].
//
// Its own kernel because logits are large (V, the vocabulary, has 30,000
// tokens) and TensorFlow's ops take several passes over them. Here a row is
// read once, and converted to float32 and reduced in the cache.

#ifndef ALBERT_KERAS_CROSS_ENTROPY_H_
#define ALBERT_KERAS_CROSS_ENTROPY_H_

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

// dlogits = dloss (softmax(logits) - one_hot(label)).
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

// 1 if argmax(logits) == label, else 0; of equal logits the first counts.
REGISTER_OP("AlbertSparseAccuracy")
    .Input("labels: int32")
    .Input("logits: T")
    .Output("accuracy: float")
    .Attr("T: {float, bfloat16, half}")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      return absl::OkStatus();
    });

// Base of ops with inputs `labels` and `logits`.
template <class T>
class LogitsKernel : public OpKernel {
 public:
  using OpKernel::OpKernel;

 protected:
  // Checks the labels and calls body(r, label, V, logits) for each row r, with
  // its logits in a float32 buffer, which body may overwrite.
  template <class Body>
  void ForEachRow(OpKernelContext* context, const Body& body) {
    const Tensor& labels = context->input(0);
    const Tensor& logits = context->input(1);
    const int64_t classes = LastDimension(logits);
    const int64_t rows = labels.NumElements();
    const int32_t* label = labels.flat<int32_t>().data();
    const T* from = logits.flat<T>().data();
    OP_REQUIRES(
        context, rows * classes == logits.NumElements(),
        InvalidArgument("Each label must have a row of logits. Received: "
                        "labels ",
                        labels.shape().DebugString(), ", logits ",
                        logits.shape().DebugString(), "."));
    for (int64_t r = 0; r < rows; ++r) {
      OP_REQUIRES(context, label[r] >= 0 && label[r] < classes,
                  InvalidArgument("Labels must be from 0 to ", classes - 1,
                                  ". Received: ", label[r], "."));
    }
    const RowBlocks blocks(rows);
    ParallelFor(context, blocks.count(), rows * classes, [&](int64_t block) {
      std::vector<float> x(classes);
      for (int64_t r = blocks.begin(block); r < blocks.end(block); ++r) {
        Load(from + r * classes, classes, x.data());
        body(r, label[r], classes, x.data());
      }
    });
  }
};

template <class T>
class SparseCrossEntropy : public LogitsKernel<T> {
 public:
  using LogitsKernel<T>::LogitsKernel;

  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    float* loss = AllocateOutput<float>(context, 0, shape);
    float* log_sums = AllocateOutput<float>(context, 1, shape);
    if (!loss || !log_sums) return;
    const auto loss_of_row = [=](int64_t r, int32_t label, int64_t classes,
                                 const float* x) {
      const float max = Max(x, classes);
      float total = 0;
#pragma omp simd reduction(+ : total)
      for (int64_t i = 0; i < classes; ++i) total += Exp(x[i] - max);
      log_sums[r] = max + std::log(total);
      loss[r] = log_sums[r] - x[label];
    };
    this->ForEachRow(context, loss_of_row);
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertSparseCrossEntropy", SparseCrossEntropy);

template <class T>
class SparseCrossEntropyGrad : public LogitsKernel<T> {
 public:
  using LogitsKernel<T>::LogitsKernel;

  void Compute(OpKernelContext* context) override {
    const float* log_sums = context->input(2).flat<float>().data();
    const float* dloss = context->input(3).flat<float>().data();
    T* dlogits = ReuseInputAsOutput<T>(context, 1, 0);
    if (!dlogits) return;
    const auto gradient_of_row = [=](int64_t r, int32_t label, int64_t classes,
                                     float* x) {
      const float log_sum = log_sums[r], factor = dloss[r];
#pragma omp simd
      for (int64_t i = 0; i < classes; ++i) {
        x[i] = Exp(x[i] - log_sum) * factor;
      }
      x[label] -= factor;
      Store(x, classes, dlogits + r * classes);
    };
    this->ForEachRow(context, gradient_of_row);
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertSparseCrossEntropyGrad",
                             SparseCrossEntropyGrad);

template <class T>
class SparseAccuracy : public LogitsKernel<T> {
 public:
  using LogitsKernel<T>::LogitsKernel;

  void Compute(OpKernelContext* context) override {
    float* accuracy =
        AllocateOutput<float>(context, 0, context->input(0).shape());
    if (!accuracy) return;
    const auto accuracy_of_row = [=](int64_t r, int32_t label, int64_t classes,
                                     const float* x) {
      int beaten = 0;
#pragma omp simd reduction(| : beaten)
      for (int64_t i = 0; i < label; ++i) beaten |= x[i] >= x[label];
#pragma omp simd reduction(| : beaten)
      for (int64_t i = label; i < classes; ++i) beaten |= x[i] > x[label];
      accuracy[r] = beaten ? 0.0f : 1.0f;
    };
    this->ForEachRow(context, accuracy_of_row);
  }
};

ALBERT_KERAS_REGISTER_KERNEL("AlbertSparseAccuracy", SparseAccuracy);

}  // namespace albert_keras

#endif  // ALBERT_KERAS_CROSS_ENTROPY_H_
