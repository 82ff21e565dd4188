"""Two products with an activation between them."""

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
    def run(x, _, bias, __):
        z, activated = _activated(x, intermediate, bias, activation)

        def gradient(dy):
            again, dz, dbias = _activated_gradient(
                dy, output, z, bias, activation
            )
            dx, dmatrix = product_gradients(x, intermediate, dz)
            return dx, dmatrix, dbias, outer_product(again, dy)

        return product(activated, output), gradient

    return run(x, intermediate.matrix, bias, output.matrix)


def _activated(x, kernel, bias, activation):
    """z = x W, and activation(z + bias)."""
    if compilation.has_no_more_than_avx2():
        return operations().albert_product_activation(
            x, kernel.forward, bias, activation=activation
        )
    z = product(x, kernel)
    return z, operations().albert_bias_activation(
        z, bias, activation=activation
    )


def _activated_gradient(dy, output, z, bias, activation):
    """The activations again, and the gradients of z and of the bias."""
    if compilation.has_no_more_than_avx2():
        return operations().albert_product_activation_grad(
            dy, output.backward, z, bias, activation=activation
        )
    return operations().albert_bias_activation_grad(
        z, bias, transposed_product(dy, output), activation=activation
    )
