"""Residual and layer normalization."""

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.compiled import column_sums, compiled


def add_layer_norm(x, bias, residual, gamma, beta, epsilon):
    @tf.custom_gradient
    def run(x, bias, residual, gamma, beta):
        y, normalized, inverse_deviation = _normalize(
            x, bias, residual, gamma, beta, tf.constant(epsilon)
        )

        def gradient(dy):
            ds, along = _normalize_backward(
                normalized, inverse_deviation, gamma, dy
            )
            return (
                ds,
                column_sums(ds),
                ds,
                column_sums(along),
                column_sums(dy),
            )

        return y, gradient

    return run(x, bias, residual, gamma, beta)


@compiled
def _normalize(x, bias, residual, gamma, beta, epsilon):
    s = tf.cast(x, tf.float32) + bias + tf.cast(residual, tf.float32)
    s = s - tf.reduce_mean(s, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(s), axis=-1, keepdims=True)
    inverse_deviation = tf.math.rsqrt(variance + epsilon)
    normalized = s * inverse_deviation
    y = tf.cast(normalized * gamma + beta, x.dtype)
    return y, tf.cast(normalized, x.dtype), inverse_deviation


@compiled
def _normalize_backward(normalized, inverse_deviation, gamma, dy):
    """The gradient of the sum, and dy n, whose column sums are gamma's."""
    dtype, n = normalized.dtype, tf.cast(normalized, tf.float32)
    dy = tf.cast(dy, tf.float32)
    dn = dy * gamma
    mean = tf.reduce_mean(dn, axis=-1, keepdims=True)
    along = tf.reduce_mean(dn * n, axis=-1, keepdims=True)
    ds = inverse_deviation * (dn - mean - n * along)
    return tf.cast(ds, dtype), tf.cast(dy * n, dtype)
