"""ALBERT that finds the answer to a question in a text."""

import keras
from keras import ops

from albert_keras.losses import span_prediction
from albert_keras.models.task import AlbertTask


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForQuestionAnswering(AlbertTask):
    """Logits for each token to be the first and the last of the answer.

    Args:
        backbone: An `AlbertBackbone`.

    Call arguments:
        inputs: What the backbone takes; question and text are two segments.

    Returns:
        `{"start_logits": (B, T), "end_logits": (B, T)}`.

    Labels for `fit`: `{"start": (B,), "end": (B,)}`, positions.
    """

    objectives = span_prediction()

    def add_heads(self, config):
        self.span_head = self.make_head("span_head", 2)

    def call(self, inputs, training=False):
        x = self.backbone(inputs, training=training)["sequence_output"]
        logits = self.span_head(x, training=training)  # (B, T, 2)
        start, end = ops.unstack(logits, num=2, axis=-1)
        return {"start_logits": start, "end_logits": end}
