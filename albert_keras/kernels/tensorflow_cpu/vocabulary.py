"""Logits of a vocabulary, their cross entropy and accuracy."""

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.compiled import (
    add_bias,
    column_sums,
    compiled,
    rows_of,
)


def vocabulary_logits(x, table, bias):
    @tf.custom_gradient
    def run(x, table, bias):
        def gradient(dy):
            dy = rows_of(dy)
            dx = tf.reshape(tf.matmul(dy, table), tf.shape(x))
            dtable = tf.matmul(dy, rows_of(x), transpose_a=True)
            return dx, dtable, tf.cast(column_sums(dy), bias.dtype)

        rows = tf.matmul(rows_of(x), table, transpose_b=True)
        shape = tf.concat([tf.shape(x)[:-1], [table.shape[0]]], 0)
        rows = add_bias(rows, tf.cast(bias, tf.float32))
        return tf.reshape(rows, shape), gradient

    return run(x, tf.convert_to_tensor(table), tf.convert_to_tensor(bias))


def sparse_cross_entropy(labels, logits):
    @tf.custom_gradient
    def run(logits):
        log_sum = _log_sum_exp(logits)

        def gradient(dy):
            return _cross_entropy_backward(labels, logits, log_sum, dy)

        return log_sum - _of_label(labels, logits), gradient

    return run(logits)


def _of_label(labels, logits):
    """The label's logit in float32."""
    picked = tf.gather(logits, labels, batch_dims=labels.shape.rank)
    return tf.cast(picked, tf.float32)


@compiled
def _log_sum_exp(logits):
    logits = tf.cast(logits, tf.float32)
    highest = _highest(logits)
    sums = tf.reduce_sum(tf.exp(logits - highest[..., None]), axis=-1)
    return highest + tf.math.log(sums)


def _highest(x):
    """Along the last axis; half against half first, which are vectors."""
    width = x.shape[-1]
    while width % 2 == 0 and width > 512:
        width //= 2
        x = tf.maximum(x[..., :width], x[..., width:])
    return tf.reduce_max(x, axis=-1)


@compiled
def _cross_entropy_backward(labels, logits, log_sum, dy):
    p = tf.exp(tf.cast(logits, tf.float32) - log_sum[..., None])
    classes = tf.range(logits.shape[-1], dtype=labels.dtype)
    gradient = tf.where(classes == labels[..., None], p - 1.0, p)
    return tf.cast(gradient * dy[..., None], logits.dtype)


def sparse_accuracy(labels, logits):
    return _none_before(labels, logits, _of_label(labels, logits))


@compiled
def _none_before(labels, logits, own):
    """1.0 where no class beats the label's logit, or ties with it before."""
    logits, own = tf.cast(logits, tf.float32), own[..., None]
    classes = tf.range(logits.shape[-1], dtype=labels.dtype)
    ties = (logits == own) & (classes < labels[..., None])
    beaten = tf.reduce_any((logits > own) | ties, axis=-1)
    return tf.cast(~beaten, tf.float32)
