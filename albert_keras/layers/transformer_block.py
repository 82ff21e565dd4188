"""The transformer block that ALBERT's layers share."""

from typing import Any, NamedTuple

import keras
from keras import ops

from albert_keras.kernels import kernels_for, on_tensorflow_cpu, reference
from albert_keras.kernels.activations import get_activation
from albert_keras.kernels.padded_sequences import take_rows
from albert_keras.layers.projection import Projection
from albert_keras.layers.self_attention import AttentionWeights, SelfAttention


class BlockWeights(NamedTuple):
    """What one application of a block reads.

    Kernels have the compute type; biases, gammas and betas float32.
    """

    attention: AttentionWeights
    attention_gamma: Any
    attention_beta: Any
    intermediate_kernel: Any
    intermediate_bias: Any
    output_kernel: Any
    output_bias: Any
    feed_forward_gamma: Any
    feed_forward_beta: Any


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

        # Keras's "auto" then leaves XLA out, which has no kernels of ours.
        self.supports_jit = not on_tensorflow_cpu()
        get_activation(activation)  # raises if there is none of this name
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
        self.intermediate = Projection(
            intermediate_dim,
            initializer_range=initializer_range,
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
        self.feed_forward_output = Projection(
            hidden_dim,
            initializer_range=self.initializer_range,
            dtype=self.dtype_policy,
            name="feed_forward_output",
        )
        self.self_attention.build(input_shape)
        self.attention_layer_norm.build(input_shape)
        self.intermediate.build(input_shape)
        self.feed_forward_output.build((None, None, self.intermediate_dim))
        self.feed_forward_layer_norm.build(input_shape)

    def weights_for(self, uses, kernels):
        """`BlockWeights` for each of a number of applications.

        Taken together, the weights are cast once for all of them, and the
        gradients of all applications add up in float32.
        """
        attention = self.self_attention.weights_for(uses, kernels)

        def matrix(weight):
            return kernels.share_kernel(weight, uses, self.compute_dtype)

        def vector(weight):
            return kernels.share(weight, uses, "float32")

        shared = (
            vector(self.attention_layer_norm.gamma),
            vector(self.attention_layer_norm.beta),
            matrix(self.intermediate.kernel),
            vector(self.intermediate.bias),
            matrix(self.feed_forward_output.kernel),
            vector(self.feed_forward_output.bias),
            vector(self.feed_forward_layer_norm.gamma),
            vector(self.feed_forward_layer_norm.beta),
        )
        return [BlockWeights(*w) for w in zip(attention, *shared, strict=True)]

    def call(self, x, attention_bias=None, training=False):
        kernels = kernels_for(training)
        (weights,) = self.weights_for(1, kernels)
        return self.apply(x, attention_bias, weights, kernels, training)

    def apply(self, x, attention_bias, weights, kernels, training, rows=None):
        """The block with given `BlockWeights`.

        Args:
            x, attention_bias, training: As for the layer's call, or what
                `sequences_of` of the kernels makes of the first two.
            weights: `BlockWeights`.
            kernels: The kernels that the weights were made with, see
                `kernels_for`.
            rows: Integers `(B, Q)`: computes these of the rows of x alone.

        Returns:
            `(B, T, H)`, or `(B, Q, H)`.
        """
        attention = self.self_attention
        w, a = weights, weights.attention
        y = self._before(x, w.attention_gamma, w.attention_beta)
        queries = None
        if rows is not None:
            x, queries = (take_rows(t, rows) for t in (x, y))
        y = attention.attend(y, attention_bias, a, kernels, training, queries)
        y = kernels.project(y, a.output_kernel)
        x = self._add(
            y,
            a.output_bias,
            x,
            w.attention_gamma,
            w.attention_beta,
            kernels,
            training,
        )
        y = self._before(x, w.feed_forward_gamma, w.feed_forward_beta)
        y = kernels.feed_forward(
            y,
            w.intermediate_kernel,
            w.intermediate_bias,
            w.output_kernel,
            self.activation,
        )
        return self._add(
            y,
            w.output_bias,
            x,
            w.feed_forward_gamma,
            w.feed_forward_beta,
            kernels,
            training,
        )

    def _before(self, x, gamma, beta):
        """What a sub-layer reads: x, normalized where the form is "pre"."""
        if not self.pre_layer_norm:
            return x
        return reference.layer_norm(x, gamma, beta, self.layer_norm_epsilon)

    def _add(self, y, bias, x, gamma, beta, kernels, training):
        """x + dropout(y + bias), normalized where the form is "post"."""
        if training and self.hidden_dropout:
            y = self.dropout_layer(y + ops.cast(bias, y.dtype), training=True)
            bias = ops.zeros_like(bias)
        if self.pre_layer_norm:
            return x + y + ops.cast(bias, y.dtype)
        return kernels.add_layer_norm(
            y, bias, x, gamma, beta, self.layer_norm_epsilon
        )

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
