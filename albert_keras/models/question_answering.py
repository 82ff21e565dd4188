"""ALBERT for extractive question answering."""

import keras
from keras import ops

from albert_keras.layers.answerability_head import AnswerabilityHead
from albert_keras.losses import answerability, span_prediction
from albert_keras.models.task import AlbertTask

# Lower than every logit, and within the range of float16.
_NEVER = -30000.0


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForQuestionAnswering(AlbertTask):
    """Predicts the first and the last token of the answer in a text.

    Args:
        backbone: An `AlbertBackbone`.
        answerability_head: Whether a separate head predicts if the text
            answers the question, as in Google's release for SQuAD 2.0. (In
            that release the end logits also depend on the start; here they
            do not.) Without the head, a question has no answer if [CLS] is
            the most likely span.
        dropout: Dropout rate in that head (Google: 0.1).

    Call arguments:
        inputs: The backbone's inputs, with question and text as two segments,
            and optionally `answer_mask` `(B, T)`: 1 where an answer may start
            or end, at the text and [CLS]. Elsewhere the logits are -30000.
            The default is the padding mask.

    Returns:
        `{"start_logits": (B, T), "end_logits": (B, T)}`, with the head also
        `"answerable_logits": (B,)`, above 0 for questions with an answer.

    Labels for `fit`: `{"start": (B,), "end": (B,)}`, positions, 0 for
    questions without an answer; with the head also `"answerable": (B,)`, 1 or
    0. Sample weights: an array `(B,)` for all labels, or by label. `"span"`
    stands for start and end.
    """

    arguments = ("answerability_head", "dropout")
    input_axes = {**AlbertTask.input_axes, "answer_mask": "BT"}

    def __init__(
        self, backbone, answerability_head=False, dropout=0.1, **kwargs
    ):
        super().__init__(
            backbone,
            answerability_head=answerability_head,
            dropout=dropout,
            **kwargs,
        )

    @property
    def objectives(self):
        if self.answerability_head:
            return (span_prediction(), answerability())
        return (span_prediction(),)

    def add_heads(self, config):
        self.span_head = self.make_head("span_head", 2, dropout=0.0)
        if not self.answerability_head:
            return
        self.answerable = AnswerabilityHead(
            dropout=self.dropout,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="answerability_head",
        )
        self.answerable.build((None, None, config.hidden_dim))

    def call(self, inputs, training=False):
        x = self.backbone(inputs, training=training)["sequence_output"]
        logits = self.span_head(x, training=training)  # (B, T, 2)
        allowed = inputs.get("answer_mask")
        if allowed is None:
            allowed = inputs.get("padding_mask")
        if allowed is not None:
            allowed = ops.cast(allowed, "bool")[..., None]
            never = ops.cast(_NEVER, logits.dtype)
            logits = ops.where(allowed, logits, never)
        start, end = ops.unstack(logits, num=2, axis=-1)
        outputs = {"start_logits": start, "end_logits": end}
        if self.answerability_head:
            outputs["answerable_logits"] = self.answerable(
                x, start, training=training
            )
        return outputs
