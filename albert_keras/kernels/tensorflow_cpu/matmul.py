"""Weights shared by layers, and matrix products with them.

Each weight is laid out once for all layers: for x W and for dy W'. With AVX-512
or AMX, oneDNN computes the products; it is faster with a right-hand operand
that is not transposed in float32, and transposed in bfloat16 (docs/design.md).
With AVX2 and nothing wider the operations of `csrc/` are faster; they read
packed panels.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu import compilation
from albert_keras.kernels.tensorflow_cpu.compilation import operations

# Most bytes of one weight's gradients that are kept until they are summed.
_MAX_PENDING_BYTES = 2**25


def weight_views(weight, uses, dtype):
    """As in `reference`, with gradients that are summed in chunks.

    Memory of the backward pass then does not grow with the number of layers:
    for a large weight (`xlarge`) few gradients are pending at a time. The
    views are chained, because the backward pass reaches the last use first.
    """
    weight = tf.cast(tf.convert_to_tensor(weight), tf.float32)
    cast = tf.cast(tf.stop_gradient(weight), dtype)
    size = math.prod(weight.shape) * cast.dtype.size
    chunk = max(2, _MAX_PENDING_BYTES // size)
    views = []
    while len(views) < uses:
        number = min(chunk, uses - len(views))
        is_last = len(views) + number == uses
        taken = _take_views(weight, cast, number, is_last)
        if not is_last:
            *taken, weight = taken
        views += taken
    return views


def _take_views(weight, cast, number, is_last):
    """Returns `number` views and, unless they are the last, the weight.

    The weight is for the next chunks: the sum of their gradients is its
    gradient, and joins the sum of this chunk.
    """

    @tf.custom_gradient
    def run(weight):
        views = [tf.identity(cast) for _ in range(number)]
        if not is_last:
            views.append(tf.identity(weight))

        def gradient(*gradients):
            return operations().albert_add_up(
                parts=gradients[:number], sums=gradients[number:]
            )

        return views, gradient

    return run(weight)


class MatmulWeight(NamedTuple):
    """A weight matrix W `(I, O)` and its layouts for matrix products."""

    weight: Any  # W itself, which receives the gradient
    forward: Any  # laid out for x W
    backward: Any  # laid out for dy W'

    def columns(self, first, last):
        """The `MatmulWeight` of a range of columns."""
        return _lay_out(self.weight[:, first:last])


def matrix_views(matrix, uses, dtype):
    """As in `reference`; the views share their layouts."""
    first, *others = weight_views(matrix, uses, dtype)
    first = _lay_out(first)
    return [first, *(first._replace(weight=other) for other in others)]


def _lay_out(weight):
    fixed = tf.stop_gradient(weight)
    if compilation.has_no_more_than_avx2():
        pack = operations().albert_pack
        panels = (pack(fixed, transposed=t) for t in (False, True))
        return MatmulWeight(weight, *panels)
    layouts = fixed, operations().albert_transpose(fixed)
    if weight.dtype != tf.float32:
        layouts = reversed(layouts)
    return MatmulWeight(weight, *layouts)


def project(x, matrix):
    @tf.custom_gradient
    def run(x, _weight):  # the weight only receives its gradient
        def gradient(dy):
            return product_gradients(x, matrix, dy)

        return product(x, matrix), gradient

    return run(x, matrix.weight)


def product(x, matrix):
    """x W `(..., O)` for x `(..., I)`."""
    return _product(x, matrix.forward, matrix.weight.shape[1])


def product_gradients(x, matrix, dy):
    """The gradients of x W with respect to x and to W."""
    return transposed_product(dy, matrix), outer_product(x, dy)


def transposed_product(dy, matrix):
    """dy W' `(..., I)` for dy `(..., O)`."""
    return _product(dy, matrix.backward, matrix.weight.shape[0])


def _product(x, layout, columns):
    if compilation.has_no_more_than_avx2():
        return operations().albert_product(x, layout, columns=columns)
    rows = tf.matmul(rows_of(x), layout, transpose_b=x.dtype != tf.float32)
    return tf.reshape(rows, tf.concat([tf.shape(x)[:-1], [columns]], 0))


def outer_product(x, y):
    """x' y `(I, O)`, summed over all rows of x `(..., I)` and y `(..., O)`."""
    if compilation.has_no_more_than_avx2():
        return operations().albert_outer_product(x, y)
    return tf.matmul(rows_of(x), rows_of(y), transpose_a=True)


def rows_of(x):
    """Reshapes `(..., W)` to a matrix `(R, W)`."""
    return tf.reshape(x, (-1, x.shape[-1]))
