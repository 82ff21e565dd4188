"""Two products with an activation between them."""

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.library import operations
from albert_keras.kernels.tensorflow_cpu.products import (
    product,
    product_gradients,
    rows_of,
)


def feed_forward(x, intermediate, bias, output, activation):
    @tf.custom_gradient
    def run(x, _, bias, __):
        z = product(x, intermediate)
        activated = operations().albert_bias_activation(
            z, bias, activation=activation
        )

        def gradient(dy):
            again, dz, dbias = operations().albert_bias_activation_grad(
                z,
                bias,
                product(dy, output.flipped()),
                activation=activation,
            )
            dx, dmatrix = product_gradients(x, intermediate, dz)
            doutput = tf.matmul(rows_of(again), rows_of(dy), transpose_a=True)
            return dx, dmatrix, dbias, doutput

        return product(activated, output), gradient

    return run(x, intermediate.matrix, bias, output.matrix)
