"""The kernels in operations of Keras: what every fused form must equal.

Statistics, sums and activations are taken in float32; what travels between
kernels has the compute type. Shapes: B sequences of T tokens, H wide, N heads
of width d = H / N.
"""

import keras
from keras import ops

from albert_keras.kernels.activations import get_activation
from albert_keras.kernels.flash_attention import (
    flash_attention,
    has_flash_attention,
)
from albert_keras.kernels.padded_sequences import PaddedSequences


def sequences_of(x, padding_mask=None):
    """How x `(B, T, H)` passes through the layers, see `PaddedSequences`.

    A fused form may leave out what `padding_mask` `(B, T)` has as 0, where
    the result is then 0; the rest is the same.
    """
    return PaddedSequences(x, padding_mask)


def share(weight, uses, dtype):
    """A float32 weight in the compute type, for each of its `uses`.

    Compilers cast it once, and the gradients of all uses add up in float32.
    """
    return [ops.cast(weight, dtype) for _ in range(uses)]


def share_kernel(kernel, uses, dtype):
    """A matrix `(I, O)` as `project` reads it, for each use."""
    return share(kernel, uses, dtype)


def rematerialize(function):
    """A function of x and weights that keeps no more than these, and is
    computed again for its gradient."""
    return keras.remat(function)


def project(x, kernel):
    """x W for `(B, T, I)` and `(I, O)`, as one product of B T rows."""
    rows = ops.matmul(ops.reshape(x, (-1, kernel.shape[0])), kernel)
    return ops.reshape(rows, (*ops.shape(x)[:-1], kernel.shape[1]))


def feed_forward(x, intermediate, bias, output, activation):
    """activation(x W + b) W2, `(B, T, H)`.

    Args:
        x: `(B, T, H)`.
        intermediate, output: Items of `share_kernel`, W and W2.
        bias: float32 `(I,)`.
        activation: A name known to `get_activation`.
    """
    y = ops.cast(project(x, intermediate), "float32") + bias
    y = ops.cast(get_activation(activation)(y), x.dtype)
    return project(y, output)


def add_layer_norm(x, bias, residual, gamma, beta, epsilon):
    """Layer normalization of x + bias + residual, `(B, T, H)`."""
    total = ops.cast(x, "float32") + bias + ops.cast(residual, "float32")
    return ops.cast(layer_norm(total, gamma, beta, epsilon), x.dtype)


def layer_norm(x, gamma, beta, epsilon):
    """Layer normalization over the last axis, in the type of x."""
    dtype = x.dtype
    x = ops.cast(x, "float32")
    x = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
    return ops.cast(x * ops.rsqrt(variance + epsilon) * gamma + beta, dtype)


def self_attention(
    x, kernel, bias, num_heads, attention_bias, queries=None, drop=None
):
    """softmax(q k' + bias) v for each head, `(B, T, H)`.

    Args:
        x: `(B, T, H)`, whose x W + b are queries, keys and values.
        kernel: An item of `share_kernel`, `(H, 3 H)`; the queries' part is
            scaled.
        bias: float32 `(3 H,)`.
        num_heads: N.
        attention_bias: float32 `(B, 1, 1, T)`, None, or that of the
            `sequences_of` x.
        queries: `(B, Q, H)`: what asks, of which the result is; None is x.
        drop: Function applied to the probabilities, such as a dropout.
    """
    width = x.shape[-1]
    if queries is None:
        q, k, v = split_heads(project(x, kernel), bias, num_heads, 3)
    else:
        q = project(queries, kernel[:, :width])
        (q,) = split_heads(q, bias[:width], num_heads, 1)
        k_v = project(x, kernel[:, width:])
        k, v = split_heads(k_v, bias[width:], num_heads, 2)
    if drop is None and has_flash_attention(
        keras.backend.standardize_dtype(v.dtype)
    ):
        return flash_attention(q, k, v, attention_bias)
    scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, N, T, T)
    scores = ops.cast(scores, "float32")
    if attention_bias is not None:
        scores = scores + attention_bias
    probabilities = ops.cast(ops.softmax(scores), v.dtype)
    if drop is not None:
        probabilities = drop(probabilities)
    return merge_heads(ops.matmul(probabilities, v))


def split_heads(x, bias, num_heads, parts):
    """x + bias, `(B, T, parts H)`, as `parts` tensors `(B, N, T, d)`."""
    x = ops.cast(ops.cast(x, "float32") + bias, x.dtype)
    batch, length = ops.shape(x)[:2]
    head_dim = x.shape[-1] // (parts * num_heads)
    x = ops.reshape(x, (batch, length, parts, num_heads, head_dim))
    return tuple(
        ops.transpose(x[:, :, part], (0, 2, 1, 3)) for part in range(parts)
    )


def merge_heads(x):
    """`(B, N, T, d)` as `(B, T, N d)`."""
    batch, num_heads, length, head_dim = ops.shape(x)
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch, length, num_heads * head_dim))


def vocabulary_logits(x, table, bias):
    """x E' + b for `(B, P, E)`, a table `(V, E)` and a bias `(V,)`."""
    return ops.matmul(x, ops.transpose(table)) + bias


def sparse_cross_entropy(labels, logits):
    """log sum exp(logits) - logits[label] in float32, `(...)`."""
    return ops.sparse_categorical_crossentropy(
        labels, ops.cast(logits, "float32"), from_logits=True, axis=-1
    )


def sparse_accuracy(labels, logits):
    """1.0 where the first highest logit is the label's, else 0.0, `(...)`."""
    predictions = ops.argmax(logits, axis=-1)
    return ops.cast(
        ops.equal(predictions, ops.cast(labels, predictions.dtype)), "float32"
    )
