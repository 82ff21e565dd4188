"""Queries, keys and values, and what they gather.

Scores and probabilities, the widest tensors of a layer, are not kept: the
gradient computes them again, in memory that is still in the caches.
"""

import tensorflow as tf

from albert_keras.kernels import plain
from albert_keras.kernels.plain import merge_heads
from albert_keras.kernels.tensorflow_cpu.compiled import (
    column_sums,
    compiled,
    rows_of,
)
from albert_keras.kernels.tensorflow_cpu.products import (
    Kernel,
    product_gradients,
    share,
)


def share_head_kernel(kernel, uses, dtype, num_heads):
    kernels = share(kernel, uses, dtype)
    by_head = tf.reshape(
        tf.stop_gradient(kernels[0]), (kernel.shape[0], 3 * num_heads, -1)
    )
    by_head = tf.transpose(by_head, (1, 0, 2))  # (3 N, H, d)
    return [Kernel(one, by_head) for one in kernels]


def heads(x, kernel, bias, num_heads, parts=range(3)):
    """One product for each sequence and head: none is transposed after."""
    matrix, by_head = kernel
    if len(parts) < 3:
        matrix = _parts(matrix, parts, axis=1)
        by_head = _parts(by_head, parts, axis=0)
        bias = _parts(bias, parts, axis=0)

    @tf.custom_gradient
    def run(x, matrix, bias):
        def gradient(*dparts):
            dy = tf.concat([rows_of(merge_heads(d)) for d in dparts], axis=-1)
            dx, dmatrix = product_gradients(x, matrix, dy)
            return dx, dmatrix, column_sums(dy)

        products = tf.matmul(x[:, None], by_head)  # (B, parts N, T, d)
        return _split_heads(products, tf.split(bias, len(parts))), gradient

    return run(x, matrix, bias)


def _parts(x, parts, axis):
    thirds = tf.split(x, 3, axis)
    return tf.concat(thirds[parts.start : parts.stop], axis)


@compiled
def _split_heads(products, biases):
    results = []
    dtype = products.dtype
    for x, b in zip(
        tf.split(products, len(biases), axis=1), biases, strict=True
    ):
        b = tf.reshape(b, (x.shape[1], 1, x.shape[3]))
        results.append(tf.cast(tf.cast(x, tf.float32) + b, dtype))
    return tuple(results)


def attention(q, k, v, attention_bias, drop=None):
    if drop is not None:
        return plain.attention(q, k, v, attention_bias, drop)
    num_heads = q.shape[1]

    def probabilities(q, k):
        if attention_bias is None:
            scores = tf.matmul(q, k, transpose_b=True)
        else:
            scores = tf.cond(
                tf.reduce_any(attention_bias != 0.0),
                lambda: _scores_with_bias(q, k, attention_bias),
                lambda: tf.matmul(q, k, transpose_b=True),
            )
        return tf.nn.softmax(scores)  # oneDNN's sums in float32

    @tf.custom_gradient
    def run(q, k, v):
        context = merge_heads(tf.matmul(probabilities(q, k), v))

        def gradient(dcontext):
            with tf.control_dependencies([dcontext]):
                p = probabilities(tf.identity(q), k)
            # The sum of p dp over the keys is that of y dy over a head.
            along = _sums_by_head(context, dcontext, num_heads)
            dy = tf.transpose(_by_head(dcontext, num_heads), (0, 2, 1, 3))
            dp = tf.matmul(dy, v, transpose_b=True)
            ds = _softmax_backward(p, dp, along)
            return (
                tf.matmul(ds, k),
                tf.matmul(ds, q, transpose_a=True),
                tf.matmul(p, dy, transpose_a=True),
            )

        return context, gradient

    return run(q, k, v)


# Products of bfloat16 take this many columns at a time.
_COLUMNS = 32


def _scores_with_bias(q, k, bias):
    """q k' + bias `(B, N, T, T)`, the bias as one more column of the keys.

    The scores are wide: adding to them takes longer than their product.
    """
    columns = _COLUMNS - q.shape[-1] % _COLUMNS
    one = tf.one_hot(0, columns, dtype=q.dtype)
    of_keys = tf.cast(tf.transpose(bias, (0, 1, 3, 2)), k.dtype)  # (B,1,T,1)

    def widened(x, column):
        shape = tf.concat([tf.shape(x)[:-1], [columns]], 0)
        return tf.concat([x, tf.broadcast_to(column, shape)], axis=-1)

    return tf.matmul(widened(q, one), widened(k, of_keys), transpose_b=True)


def _by_head(x, num_heads):
    """`(B, T, N d)` as `(B, T, N, d)`."""
    batch, length = tf.unstack(tf.shape(x)[:2])
    shape = batch, length, num_heads, x.shape[-1] // num_heads
    return tf.reshape(x, shape)


@compiled
def _sums_by_head(x, y, num_heads):
    """Sums of x y over each head, float32 `(B, N, T, 1)`."""
    products = tf.cast(x, tf.float32) * tf.cast(y, tf.float32)
    sums = tf.reduce_sum(_by_head(products, num_heads), axis=-1)
    return tf.transpose(sums, (0, 2, 1))[..., None]


@compiled
def _softmax_backward(p, dp, along):
    dtype = p.dtype
    p, dp = tf.cast(p, tf.float32), tf.cast(dp, tf.float32)
    return tf.cast(p * (dp - along), dtype)
