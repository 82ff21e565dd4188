"""The reference implementation of every kernel, in operations of `keras.ops`.

It runs on all backends, and every fused form must equal it, gradients included
(tests/kernels). A fused form has the same functions with the same arguments;
their docstrings are here.

Statistics, sums and activations are computed in float32, or in float64 for
models of that type; tensors between kernels have the compute type. Shapes: B
sequences of T tokens of width H, and N heads of width d = H / N.
"""

import keras
from keras import ops

from albert_keras.kernels.activations import get_activation
from albert_keras.kernels.flash_attention import (
    flash_attention,
    has_flash_attention,
)
from albert_keras.kernels.padded_sequences import PaddedSequences


def statistics_type(dtype):
    """The type of statistics and sums: float32, or float64 for float64."""
    return keras.backend.result_type(dtype, "float32")


def sequence_layout(x, padding_mask=None):
    """The layout in which sequences pass through the encoder's layers.

    The reference keeps padding. A fused form may leave out the positions where
    `padding_mask` is 0, except the first of a row; the encoder's output is
    then 0 there and equal elsewhere.

    Args:
        x: `(B, T, H)`.
        padding_mask: `(B, T)`, 1 = attend, 0 = padding; None attends to all.

    Returns:
        A `PaddedSequences`, or an object with the same methods.
    """
    return PaddedSequences(x, padding_mask)


def weight_views(weight, uses, dtype):
    """A float32 weight in the compute type, once for each of its uses.

    The backend's compiler casts it once, and the gradients of all uses are
    summed in float32.
    """
    return [ops.cast(weight, dtype) for _ in range(uses)]


def matrix_views(matrix, uses, dtype):
    """A matrix `(I, O)` in the form `project` takes, once for each use."""
    return weight_views(matrix, uses, dtype)


def rematerialize(function):
    """Rematerializes a function of x and weights.

    It stores only its inputs and recomputes the function in the backward pass.
    """
    return keras.remat(function)


def project(x, matrix):
    """x W as one product of B T rows.

    Args:
        x: `(B, T, I)`.
        matrix: An item of `matrix_views`, W `(I, O)`.

    Returns:
        `(B, T, O)`.
    """
    rows = ops.matmul(ops.reshape(x, (-1, matrix.shape[0])), matrix)
    return ops.reshape(rows, (*ops.shape(x)[:-1], matrix.shape[1]))


def feed_forward(x, intermediate, bias, output, activation):
    """activation(x W + b) W2, without the bias of the second product.

    Args:
        x: `(B, T, H)`.
        intermediate, output: Items of `matrix_views`, W and W2.
        bias: float32 `(I,)`.
        activation: A name known to `get_activation`.

    Returns:
        `(B, T, H)`.
    """
    y = _widen(project(x, intermediate)) + bias
    y = ops.cast(get_activation(activation)(y), x.dtype)
    return project(y, output)


def add_layer_norm(x, bias, residual, gamma, beta, epsilon):
    """Layer normalization of x + bias + residual.

    Args:
        x, residual: `(B, T, H)`.
        bias, gamma, beta: float32 `(H,)`.
        epsilon: Added to the variance.

    Returns:
        `(B, T, H)`, in the type of x.
    """
    total = _widen(x) + bias + _widen(residual)
    return ops.cast(layer_norm(total, gamma, beta, epsilon), x.dtype)


def layer_norm(x, gamma, beta, epsilon):
    """Layer normalization over the last axis, in the type of x.

    No fused form replaces it: it is used on its own only before sub-layers
    (`pre_layer_norm`).
    """
    dtype = x.dtype
    x = _widen(x)
    x = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
    return ops.cast(x * ops.rsqrt(variance + epsilon) * gamma + beta, dtype)


def self_attention(
    x, matrix, bias, num_heads, attention_bias, queries=None, drop=None
):
    """softmax(q k' + bias) v for each head, concatenated.

    Args:
        x: `(B, T, H)`; x W + b are queries, keys and values.
        matrix: An item of `matrix_views`, W `(H, 3 H)`, whose columns of the
            queries are already scaled by 1 / sqrt(d).
        bias: float32 `(3 H,)`, scaled in the same way.
        num_heads: N.
        attention_bias: float32 `(B, 1, 1, T)`, the `attention_bias` of a
            `sequence_layout`, or None.
        queries: `(B, Q, H)`: computes queries from these rows instead of x.
        drop: Function applied to the probabilities, such as a dropout.

    Returns:
        `(B, T, H)`, or `(B, Q, H)` with `queries`.
    """
    width = x.shape[-1]
    if queries is None:
        q, k, v = split_heads(project(x, matrix), bias, num_heads, 3)
    else:
        q = project(queries, matrix[:, :width])
        (q,) = split_heads(q, bias[:width], num_heads, 1)
        k_v = project(x, matrix[:, width:])
        k, v = split_heads(k_v, bias[width:], num_heads, 2)
    if drop is None and has_flash_attention(
        keras.backend.standardize_dtype(v.dtype)
    ):
        return flash_attention(q, k, v, attention_bias)
    scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, N, T, T)
    scores = _widen(scores)
    if attention_bias is not None:
        scores = scores + ops.cast(attention_bias, scores.dtype)
    probabilities = ops.cast(ops.softmax(scores), v.dtype)
    if drop is not None:
        probabilities = drop(probabilities)
    return merge_heads(ops.matmul(probabilities, v))


def split_heads(x, bias, num_heads, parts):
    """Adds a bias and splits `(B, T, parts H)` into heads.

    Returns:
        A tuple of `parts` tensors `(B, N, T, d)`.
    """
    x = ops.cast(_widen(x) + bias, x.dtype)
    batch, length = ops.shape(x)[:2]
    head_dim = x.shape[-1] // (parts * num_heads)
    # Four axes at most, as LiteRT's operators have.
    return tuple(
        ops.transpose(
            ops.reshape(part, (batch, length, num_heads, head_dim)),
            (0, 2, 1, 3),
        )
        for part in ops.split(x, parts, axis=-1)
    )


def _widen(x):
    return ops.cast(x, statistics_type(x.dtype))


def merge_heads(x):
    """Concatenates heads: `(B, N, T, d)` to `(B, T, N d)`."""
    batch, num_heads, length, head_dim = ops.shape(x)
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch, length, num_heads * head_dim))


def vocabulary_logits(x, table, bias):
    """x table' + b: the logits of every token of the vocabulary.

    Args:
        x: `(B, P, E)`.
        table: Token embeddings `(V, E)`.
        bias: `(V,)`.

    Returns:
        `(B, P, V)`.
    """
    return ops.matmul(x, ops.transpose(table)) + bias


def sparse_cross_entropy(labels, logits):
    """log sum exp(logits) - logits[label].

    Args:
        labels: Integers `(...)`.
        logits: `(..., V)`.

    Returns:
        float32 `(...)`, in nats.
    """
    return ops.sparse_categorical_crossentropy(
        labels, ops.cast(logits, "float32"), from_logits=True, axis=-1
    )


def sparse_accuracy(labels, logits):
    """1.0 if the first of the highest logits is the label's, else 0.0.

    Args:
        labels: Integers `(...)`.
        logits: `(..., V)`.

    Returns:
        float32 `(...)`.
    """
    predictions = ops.argmax(logits, axis=-1)
    return ops.cast(
        ops.equal(predictions, ops.cast(labels, predictions.dtype)), "float32"
    )
