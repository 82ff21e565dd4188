"""ALBERT for extractive question answering."""

import keras
from keras import ops

from albert_keras.layers.answerability_head import AnswerabilityHead
from albert_keras.losses import answerability, span_prediction
from albert_keras.models.inputs import (
    SEQUENCES,
    mask_range,
    select_inputs,
)
from albert_keras.models.task import AlbertTask
from albert_keras.models.texts.answering import answer, answer_inputs

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
        inputs: `token_ids`, `segment_ids` and `padding_mask` as for the
            backbone, with question and text as two segments, and optionally
            `answer_mask` `(B, T)`: 1 where an answer may start or end, at the
            text and [CLS]. Elsewhere and at padding the logits are -30000.

    Returns:
        `{"start_logits": (B, T), "end_logits": (B, T)}`, with the head also
        `"answerable_logits": (B,)`, above 0 for questions with an answer.

    Labels for `fit`: `{"start": (B,), "end": (B,)}`, positions, 0 for
    questions without an answer; with the head also `"answerable": (B,)`, 1 or
    0. Sample weights: an array `(B,)` for all labels, or by label. `"span"`
    stands for start and end.
    """

    arguments = ("answerability_head", "dropout")
    input_axes = {**SEQUENCES, "answer_mask": "BT"}

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
        inputs = select_inputs(self, inputs)
        x = self.backbone(inputs, training=training)["sequence_output"]
        logits = self.span_head(x, training=training)  # (B, T, 2)
        never = ops.cast(_NEVER, logits.dtype)
        for name in ("padding_mask", "answer_mask"):
            if name in inputs:
                mask, _ = mask_range(name).check(inputs[name])
                allowed = ops.expand_dims(ops.cast(mask, "bool"), -1)
                logits = ops.where(allowed, logits, never)
        start, end = ops.unstack(logits, num=2, axis=-1)
        outputs = {"start_logits": start, "end_logits": end}
        if self.answerability_head:
            outputs["answerable_logits"] = self.answerable(
                x, start, training=training
            )
        return outputs

    def inputs_of_columns(self, columns):
        if len(columns) < 2:
            raise ValueError(
                f"{type(self).__name__} takes pairs of question and text. "
                "Received: single texts. Pass a tuple `(questions, texts)`."
            )
        return answer_inputs(super().inputs_of_columns(columns))

    def answer(
        self,
        question,
        context,
        no_answer=None,
        threshold=0.0,
        max_answer_length=30,
        batch_size=32,
    ):
        """Answers a question about a text, with a span of the text.

        Uses the tokenizer of the model's preprocessor. A text of any length is
        split into overlapping windows, as in Google's release for SQuAD.

        Args:
            question: A string or a list of strings.
            context: The text with the answer, a string; or a list, one for
                each question. A string next to a list stands for each row.
            no_answer: Whether a question may have no answer. None is true for
                models with an answerability head and those that
                `finetune_squad.py` fine-tuned on SQuAD 2.0.
            threshold: Log-odds above which a question has no answer.
            max_answer_length: Maximum number of tokens in an answer.
            batch_size: Maximum number of windows in a batch.

        Returns:
            For two strings a dictionary, otherwise a list of them: `answer`,
            the text `context[start:end]`, empty if there is no answer;
            `start` and `end` in characters; and `score`, its probability
            among the best answers.

        Raises:
            ValueError: If the model has no tokenizer, or a question or a text
                is None, NaN, blank or no string; names its row.

        Example:

        ```python
        model = ak.load_model("runs/squad/best")
        model.answer("Who wrote it?", "Ada Lovelace wrote it in 1843.")
        # {"answer": "Ada Lovelace", "start": 0, "end": 12, "score": 0.97}
        ```
        """
        return answer(
            self,
            question,
            context,
            no_answer,
            threshold,
            max_answer_length,
            batch_size,
        )
