"""The kernels for training with TensorFlow on a CPU, see `plain`.

Each is one function compiled by XLA forward and one backward, with the large
products left to oneDNN. Gradients are written out: they read no more than
was kept, and sum the gradients of biases by a product with ones, which is
three times as fast as a reduction.
"""

import math

import tensorflow as tf

from albert_keras.kernels import plain
from albert_keras.kernels.plain import merge_heads, project

__all__ = [
    "add_layer_norm",
    "attention",
    "bias_activation",
    "project",
    "share",
    "sparse_accuracy",
    "sparse_cross_entropy",
    "split_heads",
]


def _compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


def _column_sums(x):
    """Sums over all but the last axis, float32 `(W,)`."""
    rows = tf.reshape(x, (-1, x.shape[-1]))
    ones = tf.ones((1, tf.shape(rows)[0]), rows.dtype)
    return tf.cast(tf.matmul(ones, rows)[0], tf.float32)


# === Shared weights ===


def share(weight, uses, dtype):
    @tf.custom_gradient
    def cast(weight):
        weight = tf.cast(weight, dtype)
        copies = [tf.identity(weight) for _ in range(uses)]
        return copies, lambda *gradients: _add_up(gradients)

    return cast(tf.convert_to_tensor(weight))


@_compiled
def _add_up(gradients):
    return tf.add_n([tf.cast(gradient, tf.float32) for gradient in gradients])


# === Bias and activation ===


def bias_activation(x, bias, activation):
    if activation not in _ACTIVATIONS:
        return plain.bias_activation(x, bias, activation)
    forward = _ACTIVATIONS[activation]

    @tf.custom_gradient
    def run(x, bias):
        y, slope = forward(x, bias)  # kept in place of x: it costs as much

        def gradient(dy):
            dx = _product(dy, slope)
            return dx, _column_sums(dx)

        return y, gradient

    return run(x, bias)


@_compiled
def _product(a, b):
    return tf.cast(tf.cast(a, tf.float32) * tf.cast(b, tf.float32), a.dtype)


_TANH_SCALE = math.sqrt(2 / math.pi)


@_compiled
def _gelu_tanh(x, bias):
    dtype, x = x.dtype, tf.cast(x, tf.float32) + bias
    square = tf.square(x)
    t = tf.tanh(_TANH_SCALE * x * (1 + 0.044715 * square))
    slope_inside = _TANH_SCALE * (1 + 3 * 0.044715 * square)
    slope = 0.5 * (1 + t) + 0.5 * x * (1 - tf.square(t)) * slope_inside
    return tf.cast(0.5 * x * (1 + t), dtype), tf.cast(slope, dtype)


@_compiled
def _gelu(x, bias):
    dtype, x = x.dtype, tf.cast(x, tf.float32) + bias
    below = 0.5 * (1 + tf.math.erf(x / math.sqrt(2)))  # Phi(x)
    density = tf.exp(-0.5 * tf.square(x)) / math.sqrt(2 * math.pi)
    return tf.cast(x * below, dtype), tf.cast(below + x * density, dtype)


@_compiled
def _relu(x, bias):
    dtype, x = x.dtype, tf.cast(x, tf.float32) + bias
    return tf.cast(tf.nn.relu(x), dtype), tf.cast(x > 0, dtype)


_ACTIVATIONS = {"gelu_tanh": _gelu_tanh, "gelu": _gelu, "relu": _relu}


# === Residual and layer normalization ===


def add_layer_norm(x, bias, residual, gamma, beta, epsilon):
    @tf.custom_gradient
    def run(x, bias, residual, gamma, beta):
        y, normalized, inverse_deviation = _normalize(
            x, bias, residual, gamma, beta, tf.constant(epsilon)
        )

        def gradient(dy):
            ds, dgamma = _normalize_backward(
                normalized, inverse_deviation, gamma, dy
            )
            return ds, _column_sums(ds), ds, dgamma, _column_sums(dy)

        return y, gradient

    return run(x, bias, residual, gamma, beta)


@_compiled
def _normalize(x, bias, residual, gamma, beta, epsilon):
    s = tf.cast(x, tf.float32) + bias + tf.cast(residual, tf.float32)
    s = s - tf.reduce_mean(s, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(s), axis=-1, keepdims=True)
    inverse_deviation = tf.math.rsqrt(variance + epsilon)
    normalized = s * inverse_deviation
    y = tf.cast(normalized * gamma + beta, x.dtype)
    return y, tf.cast(normalized, x.dtype), inverse_deviation


@_compiled
def _normalize_backward(normalized, inverse_deviation, gamma, dy):
    n = tf.cast(normalized, tf.float32)
    dy = tf.cast(dy, tf.float32)
    dn = dy * gamma
    mean = tf.reduce_mean(dn, axis=-1, keepdims=True)
    along = tf.reduce_mean(dn * n, axis=-1, keepdims=True)
    ds = inverse_deviation * (dn - mean - n * along)
    return tf.cast(ds, normalized.dtype), tf.reduce_sum(dy * n, axis=(0, 1))


# === Attention ===


def split_heads(x, bias, num_heads, parts):
    @tf.custom_gradient
    def run(x, bias):
        def gradient(*dparts):
            dx = tf.concat([merge_heads(part) for part in dparts], axis=-1)
            return dx, _column_sums(dx)

        heads = _split_heads(x, bias, num_heads, parts)
        return heads, gradient

    return run(x, bias)


_split_heads = _compiled(plain.split_heads)


def attention(q, k, v, attention_bias, drop=None):
    if drop is not None:
        return plain.attention(q, k, v, attention_bias, drop)
    scale = 1 / math.sqrt(q.shape[-1])

    @tf.custom_gradient
    def run(q, k, v):
        # oneDNN's softmax of bfloat16 sums in float32. It takes scaling and
        # bias along in the product, where shapes are known to the graph: a
        # compiled function's results have none.
        q, k = (tf.ensure_shape(t, t.shape) for t in (q, k))
        scores = tf.matmul(q, k, transpose_b=True) * tf.cast(scale, q.dtype)
        if attention_bias is not None:
            scores += tf.cast(attention_bias, q.dtype)
        p = tf.nn.softmax(scores)  # (B, N, T, T)

        def gradient(dy):
            dp = tf.matmul(dy, v, transpose_b=True)
            ds = _softmax_backward(p, dp, tf.constant(scale, tf.float32))
            return (
                tf.matmul(ds, k),
                tf.matmul(ds, q, transpose_a=True),
                tf.matmul(p, dy, transpose_a=True),
            )

        return tf.matmul(p, v), gradient

    return merge_heads(run(q, k, v))


@_compiled
def _softmax_backward(p, dp, scale):
    dtype = p.dtype
    p, dp = tf.cast(p, tf.float32), tf.cast(dp, tf.float32)
    along = tf.reduce_sum(p * dp, axis=-1, keepdims=True)
    return tf.cast(p * (dp - along) * scale, dtype)


# === Cross entropy ===


def sparse_cross_entropy(labels, logits):
    @tf.custom_gradient
    def run(logits):
        losses, log_sum = _cross_entropy(labels, logits)

        def gradient(dy):
            return _cross_entropy_backward(labels, logits, log_sum, dy)

        return losses, gradient

    return run(logits)


@_compiled
def _cross_entropy(labels, logits):
    logits = tf.cast(logits, tf.float32)
    highest = tf.reduce_max(logits, axis=-1, keepdims=True)
    log_sum = highest[..., 0] + tf.math.log(
        tf.reduce_sum(tf.exp(logits - highest), axis=-1)
    )
    is_label = _is_label(labels, logits)
    picked = tf.reduce_sum(tf.where(is_label, logits, 0.0), axis=-1)
    return log_sum - picked, log_sum


@_compiled
def _cross_entropy_backward(labels, logits, log_sum, dy):
    p = tf.exp(tf.cast(logits, tf.float32) - log_sum[..., None])
    gradient = tf.where(_is_label(labels, logits), p - 1.0, p)
    return tf.cast(gradient * dy[..., None], logits.dtype)


def _is_label(labels, logits):
    classes = tf.range(logits.shape[-1], dtype=labels.dtype)
    return classes == labels[..., None]


@_compiled
def sparse_accuracy(labels, logits):
    # The first of the highest, as argmax has it, in two passes.
    classes = tf.range(logits.shape[-1], dtype=labels.dtype)
    is_highest = logits >= tf.reduce_max(logits, axis=-1, keepdims=True)
    first = tf.reduce_min(
        tf.where(is_highest, classes, logits.shape[-1]), axis=-1
    )
    return tf.cast(first == labels, tf.float32)
