// Everything in one unit: TensorFlow's headers take most of the compiling.

#include "add_layer_norm.h"
#include "add_up.h"
#include "attention.h"
#include "bias_activation.h"
#include "dense.h"
#include "lamb.h"
#include "transpose.h"
#include "vocabulary.h"
