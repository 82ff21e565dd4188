"""The feed-forward layer: two products with an activation between them."""

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu import compilation
from albert_keras.kernels.tensorflow_cpu.compilation import operations
from albert_keras.kernels.tensorflow_cpu.matmul import (
    outer_product,
    product,
    product_gradients,
    transposed_product,
)


def feed_forward(x, intermediate, bias, output, activation):
    @tf.custom_gradient
    def run(x, _w, bias, _w2):  # the weights only receive their gradients
        z, activated = _activate(x, intermediate, bias, activation)

        def gradient(dy):
            # Recomputed, since it is the widest tensor of a layer.
            activated, dz, dbias = _activation_gradient(
                dy, output, z, bias, activation
            )
            dx, dw = product_gradients(x, intermediate, dz)
            return dx, dw, dbias, outer_product(activated, dy)

        return product(activated, output), gradient

    return run(x, intermediate.weight, bias, output.weight)


def _activate(x, matrix, bias, activation):
    """Returns z = x W, and activation(z + bias)."""
    if compilation.has_no_more_than_avx2():
        return operations().albert_product_activation(
            x, matrix.forward, bias, activation=activation
        )
    z = product(x, matrix)
    return z, operations().albert_bias_activation(
        z, bias, activation=activation
    )


def _activation_gradient(dy, output, z, bias, activation):
    """Returns activation(z + bias) and the gradients of z and of the bias."""
    if compilation.has_no_more_than_avx2():
        return operations().albert_product_activation_grad(
            dy, output.backward, z, bias, activation=activation
        )
    return operations().albert_bias_activation_grad(
        z, bias, transposed_product(dy, output), activation=activation
    )
