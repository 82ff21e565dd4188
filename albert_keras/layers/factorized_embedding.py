"""Factorized embedding parameterization (ALBERT paper, section 3.1)."""

import keras
from keras import ops

from albert_keras.layers.initializers import albert_initializer


class FactorizedEmbedding(keras.layers.Layer):
    """Embeds tokens at a small width E and projects them to the encoder's H.

    The token table then takes V x E + E x H parameters instead of V x H. The
    sum of token, segment and position embeddings is normalized at width E,
    dropped out, and projected with a bias and no activation.

    Args:
        vocabulary_size: Number of tokens V.
        embedding_dim: Width E of the three tables.
        hidden_dim: Width H of the output.
        max_sequence_length: Number of learned positions.
        num_segments: Number of segment embeddings.
        dropout: Dropout rate after the layer normalization.
        layer_norm_epsilon: Added to the variance.
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        token_ids: Integers `(B, T)` below `vocabulary_size`; T is at most
            `max_sequence_length`.
        segment_ids: Integers `(B, T)` below `num_segments`.

    Returns:
        `(B, T, H)`.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        hidden_dim,
        max_sequence_length=512,
        num_segments=2,
        dropout=0.0,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.dropout = dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range

        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon,
            dtype=self.dtype_policy,
            name="layer_norm",
        )
        self.dropout_layer = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )
        self.projection = keras.layers.Dense(
            hidden_dim,
            kernel_initializer=albert_initializer(initializer_range),
            dtype=self.dtype_policy,
            name="projection",
        )

    def build(self, token_ids_shape=None, segment_ids_shape=None):
        self.token_table = self._add_table(
            "token_embedding", self.vocabulary_size
        )
        self.segment_table = self._add_table(
            "segment_embedding", self.num_segments
        )
        self.position_table = self._add_table(
            "position_embedding", self.max_sequence_length
        )
        self.layer_norm.build((None, None, self.embedding_dim))
        self.projection.build((None, None, self.embedding_dim))

    def _add_table(self, name, rows):
        return self.add_weight(
            shape=(rows, self.embedding_dim),
            initializer=albert_initializer(self.initializer_range),
            autocast=False,  # cast the rows that are read, not the table
            name=name,
        )

    def call(self, token_ids, segment_ids, training=False):
        length = token_ids.shape[1]
        if length is None:
            length = ops.shape(token_ids)[1]
        x = ops.take(self.token_table, token_ids, axis=0)  # (B, T, E)
        # A product with one-hot rows has a product as its gradient; a lookup
        # would scatter all B x T rows onto two.
        segments = ops.one_hot(segment_ids, self.num_segments, dtype="float32")
        x = x + ops.matmul(segments, self.segment_table)
        x = x + self.position_table[:length]
        x = ops.cast(x, self.compute_dtype)
        x = self.dropout_layer(self.layer_norm(x), training=training)
        return self.projection(x)  # (B, T, H)

    def compute_output_shape(self, token_ids_shape, segment_ids_shape=None):
        return (*token_ids_shape, self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "hidden_dim": self.hidden_dim,
            "max_sequence_length": self.max_sequence_length,
            "num_segments": self.num_segments,
            "dropout": self.dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }
