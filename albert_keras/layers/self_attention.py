"""Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762)."""

import math

import keras
from keras import ops

from albert_keras.layers.flash_attention import (
    flash_attention,
    has_flash_attention,
)
from albert_keras.layers.initializers import albert_initializer


class SelfAttention(keras.layers.Layer):
    """softmax(Q K' / sqrt(d) + mask) V for each head, then a projection.

    Args:
        num_heads: Number of heads; the width of the input is divided by it.
        dropout: Rate on the attention probabilities.
        initializer_range: Deviation of the truncated normal initializer.

    Call arguments:
        x: `(B, T, H)`.
        attention_bias: `(B, 1, 1, T)`, 0 for keys to attend to and a large
            negative number for padding (see `attention_bias_from_mask`).

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
            keras.layers.Dense(
                hidden_dim,
                kernel_initializer=albert_initializer(self.initializer_range),
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

    def call(self, x, attention_bias=None, training=False):
        q, k, v = (self._split_heads(y) for y in self._project(x))
        drops = training and self.dropout
        if has_flash_attention(self.compute_dtype) and not drops:
            context = flash_attention(q, k, v, attention_bias)
            return self.output_projection(context)
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, N, T, T)
        # The softmax is taken in float32 whatever the compute type.
        scores = ops.cast(scores, "float32") / math.sqrt(self.head_dim)
        if attention_bias is not None:
            scores = scores + ops.cast(attention_bias, "float32")
        probabilities = ops.cast(ops.softmax(scores), self.compute_dtype)
        probabilities = self.dropout_layer(probabilities, training=training)
        context = ops.matmul(probabilities, v)  # (B, N, T, d)
        context = ops.transpose(context, (0, 2, 1, 3))
        return self.output_projection(ops.reshape(context, ops.shape(x)))

    def _project(self, x):
        """Queries, keys and values, each `(B, T, H)`.

        The bias of the keys adds the same to all scores of a query, which
        the softmax takes out again. Its gradient is zero but for rounding,
        and an adaptive optimizer blows rounding up to full steps; so it is
        left out of the keys and kept in the graph with gradient zero.
        """
        nothing = 0.0 * ops.convert_to_tensor(self.key.bias)
        q = ops.matmul(x, self.query.kernel) + (self.query.bias + nothing)
        return q, ops.matmul(x, self.key.kernel), self.value(x)

    def _split_heads(self, x):
        """`(B, T, H)` as `(B, N, T, d)`."""
        batch, length = ops.shape(x)[:2]
        x = ops.reshape(x, (batch, length, self.num_heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape, attention_bias_shape=None):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
        }


def attention_bias_from_mask(padding_mask):
    """Turns `(B, T)`, 1 = attend and 0 = padding, into a bias on the scores.

    Returns:
        float32 `(B, 1, 1, T)`: 0 or -30000, which float16 still holds and
        whose exponential is 0. Only keys are masked, as in every ALBERT; a
        row without any valid key attends to all evenly.
    """
    mask = ops.cast(padding_mask, "float32")
    return (1.0 - mask[:, None, None, :]) * -30000.0
