"""Shared weights, and products with them.

oneDNN computes the products. It is faster with the right-hand side as it lies
in float32, and with it transposed in bfloat16 (docs/design.md), forward and
backward, so each weight is laid out both ways, once for all layers.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.library import operations

# Bytes of a weight's gradients that wait to be added up.
_WAITING = 2**27


def share(weight, uses, dtype):
    """The last uses come first backward, and of a large weight (xlarge) some
    gradients are added up before more come: else one for each layer waits."""
    weight = tf.convert_to_tensor(weight)
    cast = tf.cast(tf.stop_gradient(weight), dtype)
    at_once = max(2, _WAITING // (math.prod(weight.shape) * cast.dtype.size))
    copies = []
    while len(copies) < uses:
        number = min(at_once, uses - len(copies))
        is_last = len(copies) + number == uses
        *taken, weight = _take(weight, cast, number, is_last)
        copies += [*taken, weight] if is_last else taken
    return copies


def _take(weight, cast, number, is_last):
    """Copies of what a weight was cast to, and it itself for later uses."""

    @tf.custom_gradient
    def run(weight):
        copies = [tf.identity(cast) for _ in range(number)]
        if not is_last:
            copies.append(tf.identity(weight))

        def gradient(*gradients):
            total = operations().albert_add_up(parts=gradients[:number])
            return tf.add_n([total, *gradients[number:]])

        return copies, gradient

    return run(weight)


class Kernel(NamedTuple):
    """A matrix W `(I, O)`, which takes the gradient, and it transposed."""

    matrix: Any
    transposed: Any

    def columns(self, first, last):
        return Kernel(self.matrix[:, first:last], self.transposed[first:last])

    def flipped(self):
        """Of W'."""
        return Kernel(self.transposed, self.matrix)


def share_kernel(kernel, uses, dtype):
    kernels = share(kernel, uses, dtype)
    transposed = operations().albert_transpose(tf.stop_gradient(kernels[0]))
    return [Kernel(one, transposed) for one in kernels]


def project(x, kernel):
    @tf.custom_gradient
    def run(x, _):
        def gradient(dy):
            return product_gradients(x, kernel, dy)

        return product(x, kernel), gradient

    return run(x, kernel.matrix)


def product(x, kernel):
    """x W `(..., O)` for x `(..., I)`."""
    if x.dtype == tf.float32:
        rows = tf.matmul(rows_of(x), kernel.matrix)
    else:
        rows = tf.matmul(rows_of(x), kernel.transposed, transpose_b=True)
    shape = tf.concat([tf.shape(x)[:-1], [kernel.matrix.shape[1]]], 0)
    return tf.reshape(rows, shape)


def product_gradients(x, kernel, dy):
    """Of x W for x and for W."""
    dmatrix = tf.matmul(rows_of(x), rows_of(dy), transpose_a=True)
    return product(dy, kernel.flipped()), dmatrix


def rows_of(x):
    """`(..., W)` as a matrix `(R, W)`."""
    return tf.reshape(x, (-1, x.shape[-1]))
