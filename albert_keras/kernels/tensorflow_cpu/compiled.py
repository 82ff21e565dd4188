"""What the kernels for TensorFlow on a CPU have in common."""

import tensorflow as tf


def compiled(function):
    """A function compiled by XLA, for each type and shape of its inputs."""
    return tf.function(function, jit_compile=True, autograph=False)


def rows_of(x):
    """`(..., W)` as a matrix `(R, W)`."""
    return tf.reshape(x, (-1, x.shape[-1]))


def column_sums(x):
    """Sums over all but the last axis, float32 `(W,)`.

    As a product with ones, which is three times as fast as a reduction.
    """
    rows = rows_of(x)
    ones = tf.ones((1, tf.shape(rows)[0]), rows.dtype)
    return tf.cast(tf.matmul(ones, rows)[0], tf.float32)


@compiled
def add_bias(scores, bias):
    """Scores plus a float32 bias, in the type of the scores."""
    return tf.cast(tf.cast(scores, tf.float32) + bias, scores.dtype)
