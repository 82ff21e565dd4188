// Everything in one unit: TensorFlow's headers take most of the compiling.

#include "add_layer_norm.h"
#include "accumulate.h"
#include "attention.h"
#include "bias_activation.h"
#include "matmul_ops.h"
#include "lamb.h"
#include "transpose.h"
#include "cross_entropy.h"
