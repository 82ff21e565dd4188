"""Factorized embedding parameterization (ALBERT paper, section 3.1)."""

import keras
from keras import ops

from albert_keras.kernels.reference import statistics_type
from albert_keras.layers.initializers import albert_initializer
from albert_keras.layers.integer_ids import as_integers


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
        token_ids: `(B, T)`, below `vocabulary_size`; T is at most
            `max_sequence_length`. Any integer or float type.
        segment_ids: The same, below `num_segments`.
        token_embeddings: `(B, T, E)` in place of those of `token_ids`, of
            which then only the shape is used; None looks them up.

    Returns:
        `(B, T, H)`.

    Raises:
        ValueError: If ids have a float type that rounds some of them.
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
        self.autocast = False  # bfloat16 would round ids
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

    def call(
        self, token_ids, segment_ids, training=False, token_embeddings=None
    ):
        token_ids = as_integers("token_ids", token_ids, self.vocabulary_size)
        segment_ids = as_integers("segment_ids", segment_ids, self.num_segments)
        dtype = statistics_type(self.compute_dtype)
        x = token_embeddings
        if x is None:
            x = ops.take(self.token_table, token_ids, axis=0)  # (B, T, E)
        x = ops.cast(x, dtype)
        # A product with one-hot rows has a product as its gradient; a lookup
        # would scatter all B x T rows onto two.
        segments = ops.one_hot(segment_ids, self.num_segments, dtype=dtype)
        x = x + ops.matmul(segments, ops.cast(self.segment_table, dtype))
        x = x + ops.cast(self._first_positions(token_ids), dtype)
        x = ops.cast(x, self.compute_dtype)
        x = self.dropout_layer(self.layer_norm(x), training=training)
        return self.projection(x)  # (B, T, H)

    def _first_positions(self, token_ids):
        """The embeddings of the positions of `token_ids`, `(T, E)`."""
        length = ops.shape(token_ids)[1]
        if isinstance(length, int):
            return self.position_table[:length]
        # JAX cannot slice up to an unknown length.
        positions = ops.arange(length, dtype="int32")
        return ops.take(self.position_table, positions, axis=0)

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
