// All ops, compiled as one translation unit: TensorFlow's headers take most of
// the compile time.

#include "accumulate.h"
#include "add_layer_norm.h"
#include "attention.h"
#include "bias_activation.h"
#include "cross_entropy.h"
#include "lamb.h"
#include "matmul_ops.h"
#include "transpose.h"
