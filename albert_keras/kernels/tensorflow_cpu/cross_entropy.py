"""Logits over a vocabulary, their cross entropy and their accuracy."""

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.compilation import operations
from albert_keras.kernels.tensorflow_cpu.matmul import rows_of


def vocabulary_logits(x, table, bias):
    @tf.custom_gradient
    def run(x, table, bias):
        def gradient(dy):
            dy = rows_of(dy)
            dx = tf.reshape(tf.matmul(dy, table), tf.shape(x))
            dtable = tf.matmul(dy, rows_of(x), transpose_a=True)
            return dx, dtable, tf.cast(_column_sums(dy), bias.dtype)

        rows = tf.matmul(rows_of(x), table, transpose_b=True)
        logits = operations().albert_bias_activation(
            rows, tf.cast(bias, tf.float32), activation="linear"
        )
        shape = tf.concat([tf.shape(x)[:-1], [table.shape[0]]], 0)
        return tf.reshape(logits, shape), gradient

    return run(x, tf.convert_to_tensor(table), tf.convert_to_tensor(bias))


def _column_sums(rows):
    """Sums columns by a product with ones, 3 times as fast as `reduce_sum`."""
    ones = tf.ones((1, tf.shape(rows)[0]), rows.dtype)
    return tf.matmul(ones, rows)[0]


def sparse_cross_entropy(labels, logits):
    labels = tf.cast(labels, tf.int32)

    @tf.custom_gradient
    def run(logits):
        loss, log_sums = operations().albert_sparse_cross_entropy(
            labels, logits
        )

        def gradient(dloss):
            return operations().albert_sparse_cross_entropy_grad(
                labels, logits, log_sums, dloss
            )

        return loss, gradient

    return run(logits)


def sparse_accuracy(labels, logits):
    labels = tf.cast(labels, tf.int32)
    return operations().albert_sparse_accuracy(labels, logits)
