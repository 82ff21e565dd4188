"""The head that predicts whether a question has an answer (SQuAD 2.0)."""

import keras
from keras import ops

from albert_keras.kernels.reference import statistics_type
from albert_keras.layers.initializers import albert_initializer


class AnswerabilityHead(keras.layers.Layer):
    """One logit, from the expected start of the answer and from [CLS].

    The head of Google's release for SQuAD 2.0, which follows XLNet:

        w . dropout(tanh([sum_t p_t x_t ; x_0] W + b))

    where p is the softmax of the start logits. In Google's release the logit
    is high for questions without an answer; here it is high for questions
    with one.

    Args:
        dropout: Dropout rate before the last product.
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        sequence_output: `(B, T, H)`.
        start_logits: `(B, T)`.

    Returns:
        `(B,)`.
    """

    def __init__(self, dropout=0.1, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.dropout = dropout
        self.initializer_range = initializer_range

    def build(self, sequence_shape, start_logits_shape=None):
        hidden_dim = sequence_shape[-1]
        self.dense = self._dense(
            "dense", hidden_dim, 2 * hidden_dim, activation="tanh"
        )
        self.logit = self._dense("logit", 1, hidden_dim, use_bias=False)
        self.dropout_layer = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="dropout"
        )

    def _dense(self, name, units, input_dim, **kwargs):
        layer = keras.layers.Dense(
            units,
            kernel_initializer=albert_initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name=name,
            **kwargs,
        )
        layer.build((None, input_dim))
        return layer

    def call(self, sequence_output, start_logits, training=False):
        dtype = statistics_type(self.compute_dtype)
        p = ops.softmax(ops.cast(start_logits, dtype))  # (B, T)
        p = ops.expand_dims(ops.cast(p, self.compute_dtype), 1)
        start = ops.matmul(p, sequence_output)[:, 0]  # (B, H)
        x = ops.concatenate([start, sequence_output[:, 0]], axis=-1)
        x = self.dropout_layer(self.dense(x), training=training)
        return ops.squeeze(self.logit(x), axis=-1)  # (B,)

    def compute_output_shape(self, sequence_shape, start_logits_shape=None):
        return sequence_shape[:1]

    def get_config(self):
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
        }
