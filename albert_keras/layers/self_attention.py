"""Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762)."""

import math
from typing import Any, NamedTuple

import keras
from keras import ops

from albert_keras.kernels import choose_kernels, reference
from albert_keras.layers.projection import Projection


class AttentionWeights(NamedTuple):
    """The weights that one application of self-attention reads.

    Matrices have the compute type; biases have its `statistics_type`.
    `qkv_kernel` is `(H, 3 H)`: one product computes queries, keys and values.
    """

    qkv_kernel: Any
    qkv_bias: Any
    output_kernel: Any
    output_bias: Any


class SelfAttention(keras.layers.Layer):
    """softmax(Q K' / sqrt(d) + bias) V for each head, then a projection.

    Args:
        num_heads: Number of heads N; must divide the width H of the input,
            d = H / N.
        dropout: Dropout rate of the attention probabilities.
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        x: `(B, T, H)`.
        attention_bias: float32 `(B, 1, 1, T)`, 0 for keys to attend to and a
            large negative number for padding; None attends to all.

    Returns:
        `(B, T, H)`.

    Raises:
        ValueError: If `num_heads` does not divide H.
    """

    def __init__(
        self, num_heads, dropout=0.0, initializer_range=0.02, **kwargs
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.dropout_layer = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, input_shape, attention_bias_shape=None):
        hidden_dim = input_shape[-1]
        if hidden_dim % self.num_heads:
            raise ValueError(
                "The width of the input must be divisible by `num_heads`. "
                f"Received: width {hidden_dim}, num_heads={self.num_heads}."
            )
        self.head_dim = hidden_dim // self.num_heads
        self.query, self.key, self.value, self.output_projection = (
            Projection(
                hidden_dim,
                initializer_range=self.initializer_range,
                dtype=self.dtype_policy,
                name=name,
            )
            for name in ("query", "key", "value", "output")
        )
        for layer in (
            self.query,
            self.key,
            self.value,
            self.output_projection,
        ):
            layer.build((None, None, hidden_dim))

    def weights_for(self, uses, kernels):
        """Returns `AttentionWeights` for each of several applications.

        The scale 1 / sqrt(d) is applied to the weights of the queries, which
        are fewer than the scores.

        The bias of the keys adds the same number to all scores of a query,
        and the softmax cancels it. Its gradient would be zero but for
        rounding, which an adaptive optimizer scales up to full steps. So the
        keys leave it out, and a factor of 0 gives it the gradient zero.

        Args:
            uses: Number of applications.
            kernels: The kernels that will apply the weights.
        """
        scale = 1 / math.sqrt(self.head_dim)
        q, k, v = self.query, self.key, self.value
        qkv_kernel = ops.concatenate(
            [scale * q.kernel, k.kernel, v.kernel], axis=1
        )
        qkv_bias = ops.concatenate(
            [scale * q.bias, 0.0 * k.bias, v.bias], axis=0
        )
        output = self.output_projection

        def matrix(weight):
            return kernels.matrix_views(weight, uses, self.compute_dtype)

        def vector(weight):
            dtype = reference.statistics_type(self.compute_dtype)
            return kernels.weight_views(weight, uses, dtype)

        views = (
            matrix(qkv_kernel),
            vector(qkv_bias),
            matrix(output.kernel),
            vector(output.bias),
        )
        return [AttentionWeights(*w) for w in zip(*views, strict=True)]

    def call(self, x, attention_bias=None, training=False):
        kernels = choose_kernels(self.compute_dtype)
        (weights,) = self.weights_for(1, kernels)
        context = self.attend(x, attention_bias, weights, kernels, training)
        output = kernels.project(context, weights.output_kernel)
        return output + ops.cast(weights.output_bias, output.dtype)

    def attend(
        self,
        x,
        attention_bias,
        weights,
        kernels,
        training,
        queries=None,
        probabilities=None,
    ):
        """Computes the heads' outputs, before the output projection.

        Args:
            x, attention_bias: As for the layer's call, or as packed by a
                `sequence_layout` of the kernels.
            weights: `AttentionWeights`.
            kernels: The kernels that `weights_for` was given.
            training: Whether to drop probabilities.
            queries: `(B, Q, H)`: the rows of x to compute the output for;
                None is all of x.
            probabilities: A list that gets the probabilities `(B, N, T, T)`,
                before dropout; None to leave the choice of the form to the
                kernels. Needs the reference kernels.

        Returns:
            `(B, T, H)`, or `(B, Q, H)` with `queries`.
        """
        drop = self._drop if training and self.dropout else None
        if probabilities is not None:
            drop = _recorder(probabilities, drop)
        return kernels.self_attention(
            x,
            weights.qkv_kernel,
            weights.qkv_bias,
            self.num_heads,
            attention_bias,
            queries,
            drop,
        )

    def _drop(self, probabilities):
        return self.dropout_layer(probabilities, training=True)

    def compute_output_shape(self, input_shape, attention_bias_shape=None):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
        }


def _recorder(record, drop):
    """Returns `drop`, which also appends what it gets to a list."""

    def keep(probabilities):
        record.append(probabilities)
        return probabilities if drop is None else drop(probabilities)

    return keep
