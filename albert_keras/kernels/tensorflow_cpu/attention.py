"""Queries, keys and values, and what they gather."""

import tensorflow as tf

from albert_keras.kernels import reference
from albert_keras.kernels.tensorflow_cpu.compilation import operations
from albert_keras.kernels.tensorflow_cpu.matmul import (
    product,
    product_gradients,
    project,
)
from albert_keras.kernels.tensorflow_cpu.packed_sequences import keys_of


def self_attention(
    x, kernel, bias, num_heads, attention_bias, queries=None, drop=None
):
    if drop is not None:
        return reference.self_attention(
            x, kernel.matrix, bias, num_heads, attention_bias, queries, drop
        )
    splits, mask = keys_of(x, attention_bias)
    if queries is None:
        projected = (project(x, kernel),)
    else:
        projected = _project_apart(queries, x, kernel)

    @tf.custom_gradient
    def run(*inputs):
        *queries, keys, bias = inputs
        apart = queries[0] if queries else tf.zeros((0, 0, 0), keys.dtype)
        inputs = apart, keys, bias, splits, mask
        context, log_sums = operations().albert_attention(
            *inputs, num_heads=num_heads
        )

        def gradient(dcontext):
            dqueries, dkeys, dbias = operations().albert_attention_grad(
                *inputs, context, log_sums, dcontext, num_heads=num_heads
            )
            return (dqueries, dkeys, dbias) if queries else (dkeys, dbias)

        return context, gradient

    return run(*projected, bias)


def _project_apart(queries, x, kernel):
    """Queries `(B, Q, H)`, and the keys and values `(B, T, 2 H)` of x."""
    width = x.shape[-1]
    own = kernel.columns(0, width)
    others = kernel.columns(width, 3 * width)

    @tf.custom_gradient
    def run(queries, x, _):
        def gradient(dq, dk):
            dqueries, one = product_gradients(queries, own, dq)
            dx, other = product_gradients(x, others, dk)
            return dqueries, dx, tf.concat([one, other], axis=1)

        return (product(queries, own), product(x, others)), gradient

    return run(queries, x, kernel.matrix)
