"""The masked-language-model head with the tied, factorized decoder."""

import keras

from albert_keras.kernels import kernels_for_classes
from albert_keras.kernels.activations import get_activation
from albert_keras.kernels.padded_sequences import gather_positions
from albert_keras.layers.initializers import albert_initializer


class MaskedLMHead(keras.layers.Layer):
    """Logits over the vocabulary at the masked positions.

    The positions are gathered first, unless the encoder has computed these
    alone, so that the head costs P positions and not T. Then
    LN(activation(x W + b)) at width E, times the token table transposed, plus
    a bias for each piece. The table belongs to the embeddings and is handed
    to `call`: one matrix, one owner.

    Args:
        vocabulary_size: Number of pieces V.
        embedding_dim: Width E.
        activation: A name known to `get_activation`.
        layer_norm_epsilon: Added to the variance.
        initializer_range: Deviation of the truncated normal initializer.

    Call arguments:
        sequence_output: `(B, T, H)`, or `(B, P, H)` without positions.
        mask_positions: Integers `(B, P)`; empty slots may hold any position.
            None where the sequence output is at these positions already.
        token_table: `(V, E)`.
        training: Whether gradients will be asked for.

    Returns:
        `(B, P, V)`.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.activation_function = get_activation(activation)
        self.transform = keras.layers.Dense(
            embedding_dim,
            kernel_initializer=albert_initializer(initializer_range),
            dtype=self.dtype_policy,
            name="transform",
        )
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon,
            dtype=self.dtype_policy,
            name="layer_norm",
        )

    def build(
        self,
        sequence_output_shape,
        mask_positions_shape=None,
        token_table_shape=None,
    ):
        self.transform.build(sequence_output_shape)
        self.layer_norm.build((None, None, self.embedding_dim))
        self.output_bias = self.add_weight(
            shape=(self.vocabulary_size,),
            initializer="zeros",
            name="output_bias",
        )

    def call(
        self, sequence_output, mask_positions, token_table, training=False
    ):
        x = sequence_output
        if mask_positions is not None:
            x = gather_positions(x, mask_positions)  # (B, P, H)
        x = self.activation_function(self.transform(x))  # (B, P, E)
        x = self.layer_norm(x)
        kernels = kernels_for_classes(self.vocabulary_size, training)
        return kernels.vocabulary_logits(x, token_table, self.output_bias)

    def compute_output_shape(
        self,
        sequence_output_shape,
        mask_positions_shape=(None, None),
        token_table_shape=None,
    ):
        return (*mask_positions_shape, self.vocabulary_size)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }
