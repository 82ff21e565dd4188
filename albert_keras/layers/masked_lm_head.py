"""The masked-language-model head with the tied, factorized decoder."""

import keras
from keras import ops

from albert_keras.kernels import kernels_for_classes
from albert_keras.kernels.activations import get_activation
from albert_keras.kernels.padded_sequences import gather_positions
from albert_keras.kernels.value_ranges import nan_unless, position_range
from albert_keras.layers.initializers import albert_initializer


class MaskedLMHead(keras.layers.Layer):
    """Logits over the vocabulary at the masked positions.

        LN(activation(x W + b)) table' + c

    for the rows x of the masked positions, with W `(H, E)`, the token table
    `(V, E)` and a bias c `(V,)`. The rows are gathered first, so that the
    head costs P positions instead of T. The table belongs to the embeddings
    and is an argument of `call`, so that the model has one copy of it.

    Args:
        vocabulary_size: Number of tokens V.
        embedding_dim: Width E of the token table.
        activation: `"gelu_tanh"`, `"gelu"` or `"relu"`, see `AlbertConfig`.
        layer_norm_epsilon: Added to the variance.
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        sequence_output: `(B, T, H)`, or `(B, P, H)` without
            `mask_positions`.
        mask_positions: Integers `(B, P)` from 0 to T - 1; empty slots may
            hold any of them. None if the sequence output holds only these
            positions.
        token_table: `(V, E)`.

    Returns:
        `(B, P, V)`.

    Raises:
        ValueError: If the activation is unknown, or a position is out of
            range; in compiled functions see `kernels.value_ranges`.
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

    def call(self, sequence_output, mask_positions, token_table):
        x = sequence_output
        if mask_positions is not None:
            allowed = position_range("mask_positions", ops.shape(x)[1])
            positions, in_range = allowed.check(mask_positions)
            x = gather_positions(x, positions)  # (B, P, H)
            x = nan_unless(in_range, x)
        x = self.activation_function(self.transform(x))  # (B, P, E)
        x = self.layer_norm(x)
        kernels = kernels_for_classes(self.vocabulary_size, self.compute_dtype)
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
