"""The transformer block whose parameters ALBERT's layers share."""

from typing import Any, NamedTuple

import keras
from keras import ops

from albert_keras.kernels import choose_kernels, on_tensorflow_cpu, reference
from albert_keras.kernels.activations import get_activation
from albert_keras.kernels.padded_sequences import take_rows
from albert_keras.layers.projection import Projection
from albert_keras.layers.self_attention import AttentionWeights, SelfAttention


class BlockWeights(NamedTuple):
    """The weights that one application of a block reads.

    Matrices have the compute type; biases, gammas and betas have its
    `statistics_type`.
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

    With post-normalization, the paper's form:

        a = LN1(x + attention(x)),  result = LN2(a + ffn(a))

    With `pre_layer_norm`:

        a = x + attention(LN1(x)),  result = a + ffn(LN2(a))

    Args:
        num_heads: Number of attention heads; must divide H.
        intermediate_dim: Width of the feed-forward layer.
        hidden_dropout: Dropout rate after attention output and feed-forward
            output.
        attention_dropout: Dropout rate of the attention probabilities.
        activation: `"gelu_tanh"`, `"gelu"` or `"relu"`, see `AlbertConfig`.
        layer_norm_epsilon: Added to the variance.
        initializer_range: Standard deviation of the truncated normal
            initializer.
        pre_layer_norm: Whether to normalize before each sub-layer instead of
            after it.

    Call arguments:
        x: `(B, T, H)`.
        attention_bias: float32 `(B, 1, 1, T)`, 0 for keys to attend to and a
            large negative number for padding; None attends to all.

    Returns:
        `(B, T, H)`.

    Raises:
        ValueError: If the activation is unknown or `num_heads` does not divide
            H.
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

        # `jit_compile="auto"` must not use XLA, which lacks the fused kernels.
        self.supports_jit = not on_tensorflow_cpu()
        get_activation(activation)  # raises if the name is unknown
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
        """Returns `BlockWeights` for each of several applications.

        The weights are cast once for all applications, and the gradients of
        all are summed in float32.

        Args:
            uses: Number of applications.
            kernels: The kernels that will apply the block.
        """
        attention = self.self_attention.weights_for(uses, kernels)

        def matrix(weight):
            return kernels.matrix_views(weight, uses, self.compute_dtype)

        def vector(weight):
            dtype = reference.statistics_type(self.compute_dtype)
            return kernels.weight_views(weight, uses, dtype)

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
        kernels = choose_kernels(self.compute_dtype)
        (weights,) = self.weights_for(1, kernels)
        return self.apply(x, attention_bias, weights, kernels, training)

    def apply(
        self,
        x,
        attention_bias,
        weights,
        kernels,
        training,
        rows=None,
        probabilities=None,
    ):
        """Applies the block with given weights.

        Args:
            x, attention_bias: As for the layer's call, or as packed by a
                `sequence_layout` of the kernels.
            weights: `BlockWeights`.
            kernels: The kernels that `weights_for` was given.
            training: As for the layer's call.
            rows: Integers `(B, Q)`: row numbers of x. The block then computes
                its output for these rows only.
            probabilities: As for `SelfAttention.attend`.

        Returns:
            `(B, T, H)`, or `(B, Q, H)` with `rows`.
        """
        attention = self.self_attention
        w, a = weights, weights.attention
        y = self._pre_normalize(x, w.attention_gamma, w.attention_beta)
        queries = None
        if rows is not None:
            x, queries = (take_rows(t, rows) for t in (x, y))
        y = attention.attend(
            y, attention_bias, a, kernels, training, queries, probabilities
        )
        y = kernels.project(y, a.output_kernel)
        x = self._add_and_normalize(
            y,
            a.output_bias,
            x,
            w.attention_gamma,
            w.attention_beta,
            kernels,
            training,
        )
        y = self._pre_normalize(x, w.feed_forward_gamma, w.feed_forward_beta)
        y = kernels.feed_forward(
            y,
            w.intermediate_kernel,
            w.intermediate_bias,
            w.output_kernel,
            self.activation,
        )
        return self._add_and_normalize(
            y,
            w.output_bias,
            x,
            w.feed_forward_gamma,
            w.feed_forward_beta,
            kernels,
            training,
        )

    def _pre_normalize(self, x, gamma, beta):
        """The input of a sub-layer: x, normalized with `pre_layer_norm`."""
        if not self.pre_layer_norm:
            return x
        return reference.layer_norm(x, gamma, beta, self.layer_norm_epsilon)

    def _add_and_normalize(self, y, bias, x, gamma, beta, kernels, training):
        """x + dropout(y + bias), normalized without `pre_layer_norm`."""
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
