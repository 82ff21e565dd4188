"""The transformer block that ALBERT's layers share."""

import keras

from albert_keras.layers.activations import get_activation
from albert_keras.layers.initializers import albert_initializer
from albert_keras.layers.self_attention import SelfAttention


class TransformerBlock(keras.layers.Layer):
    """Self-attention and feed-forward, each with a residual connection.

    After-normalization, the paper's form: a = LN1(x + attention(x));
    result = LN2(a + ffn(a)). Before-normalization, the option:
    a = x + attention(LN1(x)); result = a + ffn(LN2(a)).

    Args:
        num_heads: Attention heads.
        intermediate_dim: Width of the feed-forward layer.
        hidden_dropout: Rate after attention output and feed-forward output.
        attention_dropout: Rate on the attention probabilities.
        activation: A name known to `get_activation`.
        layer_norm_epsilon: Added to the variance.
        initializer_range: Deviation of the truncated normal initializer.
        pre_layer_norm: Normalize before the sub-layers, not after.

    Call arguments:
        x: `(B, T, H)`.
        attention_bias: `(B, 1, 1, T)` or None.

    Returns:
        `(B, T, H)`.
    """

    def __init__(
        self,
        num_heads,
        intermediate_dim,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        pre_layer_norm=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.hidden_dropout = hidden_dropout
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.pre_layer_norm = pre_layer_norm

        self.activation_function = get_activation(activation)
        self.self_attention = SelfAttention(
            num_heads,
            dropout=attention_dropout,
            initializer_range=initializer_range,
            dtype=self.dtype_policy,
            name="self_attention",
        )
        self.attention_layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon,
            dtype=self.dtype_policy,
            name="attention_layer_norm",
        )
        self.intermediate = keras.layers.Dense(
            intermediate_dim,
            kernel_initializer=albert_initializer(initializer_range),
            dtype=self.dtype_policy,
            name="intermediate",
        )
        self.feed_forward_layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon,
            dtype=self.dtype_policy,
            name="feed_forward_layer_norm",
        )
        self.dropout_layer = keras.layers.Dropout(
            hidden_dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, input_shape, attention_bias_shape=None):
        hidden_dim = input_shape[-1]
        self.feed_forward_output = keras.layers.Dense(
            hidden_dim,
            kernel_initializer=albert_initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name="feed_forward_output",
        )
        self.self_attention.build(input_shape)
        self.attention_layer_norm.build(input_shape)
        self.intermediate.build(input_shape)
        self.feed_forward_output.build((None, None, self.intermediate_dim))
        self.feed_forward_layer_norm.build(input_shape)

    def call(self, x, attention_bias=None, training=False):
        if self.pre_layer_norm:
            a = self.attention_layer_norm(x)
            x = x + self._attend(a, attention_bias, training)
            a = self.feed_forward_layer_norm(x)
            return x + self._feed_forward(a, training)
        x = self.attention_layer_norm(
            x + self._attend(x, attention_bias, training)
        )
        return self.feed_forward_layer_norm(x + self._feed_forward(x, training))

    def _attend(self, x, attention_bias, training):
        x = self.self_attention(x, attention_bias, training=training)
        return self.dropout_layer(x, training=training)

    def _feed_forward(self, x, training):
        x = self.activation_function(self.intermediate(x))  # (B, T, I)
        x = self.feed_forward_output(x)  # (B, T, H)
        return self.dropout_layer(x, training=training)

    def compute_output_shape(self, input_shape, attention_bias_shape=None):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "hidden_dropout": self.hidden_dropout,
            "attention_dropout": self.attention_dropout,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
            "pre_layer_norm": self.pre_layer_norm,
        }
