"""Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762)."""

import math
from typing import Any, NamedTuple

import keras
from keras import ops

from albert_keras.kernels import kernels_for
from albert_keras.layers.projection import Projection


class AttentionWeights(NamedTuple):
    """What one application of self-attention reads.

    Kernels have the compute type, biases float32. `qkv_kernel` is `(H, 3 H)`:
    queries, keys and values are one product.
    """

    qkv_kernel: Any
    qkv_bias: Any
    output_kernel: Any
    output_bias: Any


class SelfAttention(keras.layers.Layer):
    """softmax(Q K' / sqrt(d) + mask) V for each head, then a projection.

    Args:
        num_heads: Number of heads; the width of the input is divided by it.
        dropout: Rate on the attention probabilities.
        initializer_range: Deviation of the truncated normal initializer.

    Call arguments:
        x: `(B, T, H)`.
        attention_bias: `(B, 1, 1, T)`, 0 for keys to attend to and a large
            negative number for padding.

    Returns:
        `(B, T, H)`.
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
        """`AttentionWeights` for each of a number of applications.

        1 / sqrt(d) is a factor of the queries' weights, which are fewer than
        the scores.

        The bias of the keys adds the same to all scores of a query, which
        the softmax takes out again. Its gradient is zero but for rounding,
        and an adaptive optimizer blows rounding up to full steps; so it is
        left out of the keys and kept in the graph with gradient zero.
        """
        share, own = kernels.share, self.compute_dtype
        scale = 1 / math.sqrt(self.head_dim)
        q, k, v = self.query, self.key, self.value
        kernel = ops.concatenate([scale * q.kernel, k.kernel, v.kernel], axis=1)
        bias = ops.concatenate([scale * q.bias, 0.0 * k.bias, v.bias], axis=0)
        output = self.output_projection
        return [
            AttentionWeights(*weights)
            for weights in zip(
                kernels.share_kernel(kernel, uses, own),
                share(bias, uses, "float32"),
                kernels.share_kernel(output.kernel, uses, own),
                share(output.bias, uses, "float32"),
                strict=True,
            )
        ]

    def call(self, x, attention_bias=None, training=False):
        kernels = kernels_for(training)
        (weights,) = self.weights_for(1, kernels)
        context = self.attend(x, attention_bias, weights, kernels, training)
        output = kernels.project(context, weights.output_kernel)
        return output + ops.cast(weights.output_bias, output.dtype)

    def attend(
        self, x, attention_bias, weights, kernels, training, queries=None
    ):
        """What each position gathers, before the output's projection.

        Args:
            x: `(B, T, H)`.
            attention_bias: As for the layer's call, or that of the kernels'
                `sequences_of` x.
            weights: `AttentionWeights`.
            kernels: The kernels that the weights were made with, see
                `kernels_for`.
            training: Whether probabilities are dropped.
            queries: `(B, Q, H)`: rows of x that ask; all of x when None.

        Returns:
            `(B, Q, H)`.
        """
        drop = self._drop if training and self.dropout else None
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
