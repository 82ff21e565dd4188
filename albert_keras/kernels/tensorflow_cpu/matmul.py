"""Shared weights, and products with them.

Each weight is laid out for x W and for dy W' once, for all layers. With AVX-512
and with AMX oneDNN computes the products: it is faster with the right-hand side
as it lies in float32, and with it transposed in bfloat16 (docs/design.md). With
AVX2 and nothing wider operations of our own are faster, which read panels.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu import compilation
from albert_keras.kernels.tensorflow_cpu.compilation import operations

# Bytes of a weight's gradients that wait to be added up.
_WAITING = 2**25


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
            return operations().albert_add_up(
                parts=gradients[:number], sums=gradients[number:]
            )

        return copies, gradient

    return run(weight)


class Kernel(NamedTuple):
    """A matrix W `(I, O)`, which takes the gradient, as products read it."""

    matrix: Any
    forward: Any  # laid out for x W
    backward: Any  # laid out for dy W'

    def columns(self, first, last):
        return _laid_out(self.matrix[:, first:last])


def share_kernel(kernel, uses, dtype):
    first, *others = share(kernel, uses, dtype)
    first = _laid_out(first)
    return [first, *(first._replace(matrix=other) for other in others)]


def _laid_out(matrix):
    fixed = tf.stop_gradient(matrix)
    if compilation.has_no_more_than_avx2():
        pack = operations().albert_pack
        panels = (pack(fixed, transposed=t) for t in (False, True))
        return Kernel(matrix, *panels)
    sides = fixed, operations().albert_transpose(fixed)
    if matrix.dtype != tf.float32:
        sides = reversed(sides)
    return Kernel(matrix, *sides)


def project(x, kernel):
    @tf.custom_gradient
    def run(x, _):
        def gradient(dy):
            return product_gradients(x, kernel, dy)

        return product(x, kernel), gradient

    return run(x, kernel.matrix)


def product(x, kernel):
    """x W `(..., O)` for x `(..., I)`."""
    return _product(x, kernel.forward, kernel.matrix.shape[1])


def product_gradients(x, kernel, dy):
    """Of x W for x and for W."""
    return transposed_product(dy, kernel), outer_product(x, dy)


def transposed_product(dy, kernel):
    """dy W' `(..., I)` for dy `(..., O)`."""
    return _product(dy, kernel.backward, kernel.matrix.shape[0])


def _product(x, side, columns):
    if compilation.has_no_more_than_avx2():
        return operations().albert_product(x, side, columns=columns)
    rows = tf.matmul(rows_of(x), side, transpose_b=x.dtype != tf.float32)
    return tf.reshape(rows, tf.concat([tf.shape(x)[:-1], [columns]], 0))


def outer_product(x, y):
    """x' y `(I, O)`, summed over all rows of x `(..., I)` and y `(..., O)`."""
    if compilation.has_no_more_than_avx2():
        return operations().albert_outer_product(x, y)
    return tf.matmul(rows_of(x), rows_of(y), transpose_a=True)


def rows_of(x):
    """`(..., W)` as a matrix `(R, W)`."""
    return tf.reshape(x, (-1, x.shape[-1]))
