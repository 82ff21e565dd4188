"""Two products with an activation between them."""

import math

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.compiled import (
    column_sums,
    compiled,
    rows_of,
)
from albert_keras.kernels.tensorflow_cpu.products import product_gradients


def feed_forward(x, intermediate, bias, output, activation):
    forward, backward = _ACTIVATIONS[activation]

    @tf.custom_gradient
    def run(x, matrix, bias, output_matrix):
        z = tf.matmul(rows_of(x), intermediate.arranged, transpose_b=True)
        rows = tf.matmul(forward(z, bias), output.arranged, transpose_b=True)

        def gradient(dy):
            dy = rows_of(dy)
            dactivated = tf.matmul(dy, output_matrix, transpose_b=True)
            activated, dz = backward(z, bias, dactivated)
            dx, dmatrix = product_gradients(x, matrix, dz)
            doutput = tf.matmul(activated, dy, transpose_a=True)
            return dx, dmatrix, column_sums(dz), doutput

        return tf.reshape(rows, tf.shape(x)), gradient

    return run(x, intermediate.matrix, bias, output.matrix)


def _forward(function):
    """Of a function of float32, compiled, for z + bias in a type."""
    return compiled(
        lambda z, bias: tf.cast(
            function(tf.cast(z, tf.float32) + bias), z.dtype
        )
    )


def _backward(function, slope):
    """The value again, which is wide to keep, and the gradient for z."""

    @compiled
    def run(z, bias, dy):
        dtype, z = z.dtype, tf.cast(z, tf.float32) + bias
        dz = tf.cast(dy, tf.float32) * slope(z)
        return tf.cast(function(z), dtype), tf.cast(dz, dtype)

    return run


_TANH_SCALE = math.sqrt(2 / math.pi)


def _tanh_inside(x):
    return tf.tanh(_TANH_SCALE * x * (1 + 0.044715 * tf.square(x)))


def _gelu_tanh(x):
    return 0.5 * x * (1 + _tanh_inside(x))


def _gelu_tanh_slope(x):
    t = _tanh_inside(x)
    inside = _TANH_SCALE * (1 + 3 * 0.044715 * tf.square(x))
    return 0.5 * (1 + t) * (1 + x * (1 - t) * inside)


def _normal_distribution(x):
    return 0.5 * (1 + tf.math.erf(x / math.sqrt(2)))


def _gelu(x):
    return x * _normal_distribution(x)


def _gelu_slope(x):
    density = tf.exp(-0.5 * tf.square(x)) / math.sqrt(2 * math.pi)
    return _normal_distribution(x) + x * density


def _relu_slope(x):
    return tf.cast(x > 0, tf.float32)


_ACTIVATIONS = {
    name: (_forward(function), _backward(function, slope))
    for name, function, slope in (
        ("gelu_tanh", _gelu_tanh, _gelu_tanh_slope),
        ("gelu", _gelu, _gelu_slope),
        ("relu", tf.nn.relu, _relu_slope),
    )
}
