"""Shared weights, and products with them.

oneDNN computes the products. Its products are faster with the right-hand
side transposed, so each weight is laid out once more, for all layers.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.compiled import compiled, rows_of


def share(weight, uses, dtype):
    @tf.custom_gradient
    def cast(weight):
        weight = tf.cast(weight, dtype)
        copies = [tf.identity(weight) for _ in range(uses)]
        return copies, lambda *gradients: _add_up(gradients)

    return cast(tf.convert_to_tensor(weight))


@compiled
def _add_up(gradients):
    return tf.add_n([tf.cast(gradient, tf.float32) for gradient in gradients])


class Kernel(NamedTuple):
    """A matrix `(I, O)`, which takes the gradient, and another form of it.

    oneDNN's products are faster with the right-hand side transposed: x W
    reads `(O, I)`, dy W' reads the matrix itself.
    """

    matrix: Any
    arranged: Any


def share_kernel(kernel, uses, dtype):
    kernels = share(kernel, uses, dtype)
    transposed = tf.transpose(tf.stop_gradient(kernels[0]))
    return [Kernel(one, transposed) for one in kernels]


def project(x, kernel):
    @tf.custom_gradient
    def run(x, matrix):
        def gradient(dy):
            return product_gradients(x, matrix, rows_of(dy))

        rows = tf.matmul(rows_of(x), kernel.arranged, transpose_b=True)
        shape = tf.concat([tf.shape(x)[:-1], [matrix.shape[1]]], 0)
        return tf.reshape(rows, shape), gradient

    return run(x, kernel.matrix)


def product_gradients(x, matrix, dy):
    """Of x W for x and for W, given that of its rows."""
    dx = tf.reshape(tf.matmul(dy, matrix, transpose_b=True), tf.shape(x))
    return dx, tf.matmul(rows_of(x), dy, transpose_a=True)
