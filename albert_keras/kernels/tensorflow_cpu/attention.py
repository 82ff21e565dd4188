"""Multi-head attention as one operation that never stores the scores."""

import tensorflow as tf

from albert_keras.kernels import reference
from albert_keras.kernels.tensorflow_cpu.compilation import operations
from albert_keras.kernels.tensorflow_cpu.matmul import (
    product,
    product_gradients,
    project,
)
from albert_keras.kernels.tensorflow_cpu.packed_sequences import packed_keys


def self_attention(
    x, matrix, bias, num_heads, attention_bias, queries=None, drop=None
):
    if drop is not None:
        return reference.self_attention(
            x, matrix.weight, bias, num_heads, attention_bias, queries, drop
        )
    splits, mask = packed_keys(x, attention_bias)
    if queries is None:
        projected = (project(x, matrix),)
    else:
        projected = _project_separately(queries, x, matrix)

    @tf.custom_gradient
    def run(*inputs):
        *queries, keys, bias = inputs
        # Without separate queries, `keys` holds queries, keys and values.
        separate = queries[0] if queries else tf.zeros((0, 0, 0), keys.dtype)
        inputs = separate, keys, bias, splits, mask
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


def _project_separately(queries, x, matrix):
    """Projects queries from their own rows, keys and values from x.

    Returns:
        `(B, Q, H)` and `(B, T, 2 H)`.
    """
    width = x.shape[-1]
    of_queries = matrix.columns(0, width)
    of_keys = matrix.columns(width, 3 * width)

    @tf.custom_gradient
    def run(queries, x, _weight):  # the weight only receives its gradient
        def gradient(dq, dk):
            dqueries, dweight_q = product_gradients(queries, of_queries, dq)
            dx, dweight_k = product_gradients(x, of_keys, dk)
            return dqueries, dx, tf.concat([dweight_q, dweight_k], axis=1)

        return (product(queries, of_queries), product(x, of_keys)), gradient

    return run(queries, x, matrix.weight)
