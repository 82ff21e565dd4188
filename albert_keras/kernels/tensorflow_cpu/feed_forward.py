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
    def run(x, matrix, bias, output_matrix):
        z = product(x, intermediate.transposed)
        activated = operations().albert_bias_activation(
            z, bias, activation=activation
        )

        def gradient(dy):
            dy = rows_of(dy)
            dactivated = tf.matmul(dy, output_matrix, transpose_b=True)
            again, dz, dbias = operations().albert_bias_activation_grad(
                z, bias, dactivated, activation=activation
            )
            dx, dmatrix = product_gradients(x, matrix, dz)
            return dx, dmatrix, dbias, tf.matmul(again, dy, transpose_a=True)

        return tf.reshape(
            product(activated, output.transposed), tf.shape(x)
        ), gradient

    return run(x, intermediate.matrix, bias, output.matrix)
