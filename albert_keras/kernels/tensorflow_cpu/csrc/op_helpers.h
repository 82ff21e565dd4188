// Helpers for TensorFlow ops: allocation of outputs, shapes, and registration
// of a kernel for float32, bfloat16 and float16.

#ifndef ALBERT_KERAS_OP_HELPERS_H_
#define ALBERT_KERAS_OP_HELPERS_H_

#include <cstdint>

#include "parallel.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "vector_math.h"

namespace albert_keras {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Allocates an output and returns its data; if that fails, sets the context's
// status and returns nullptr.
template <class T>
T* AllocateOutput(OpKernelContext* context, int index,
                  const TensorShape& shape) {
  Tensor* output = nullptr;
  const auto status = context->allocate_output(index, shape, &output);
  if (!status.ok()) {
    context->CtxFailure(status);
    return nullptr;
  }
  return output->flat<T>().data();
}

// AllocateOutput with the shape of an input, in the input's memory if no other
// op reads it.
template <class T>
T* ReuseInputAsOutput(OpKernelContext* context, int input, int index) {
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

#define ALBERT_KERAS_REGISTER_KERNEL(NAME, KERNEL)                             \
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

#endif  // ALBERT_KERAS_OP_HELPERS_H_
