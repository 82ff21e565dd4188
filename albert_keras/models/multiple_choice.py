"""ALBERT for choosing one of several sequences."""

import keras
from keras import ops

from albert_keras.losses import classification
from albert_keras.models.inputs import SEQUENCES, merge_choices, select_inputs
from albert_keras.models.task import AlbertTask
from albert_keras.models.texts.ranking import (
    choice_columns,
    choice_inputs,
    rank,
)


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForMultipleChoice(AlbertTask):
    """Scores each choice separately, with a softmax over the choices.

    Args:
        backbone: An `AlbertBackbone`.
        dropout: Dropout rate of the pooled output (paper, table 14: 0.1).

    Call arguments:
        inputs: `token_ids`, `segment_ids` and `padding_mask` as for the
            backbone, with C choices: `(B, C, T)`.

    Returns:
        `{"logits": (B, C)}`.

    Labels for `fit`: indices of the right choices, `(B,)`.
    """

    objectives = (classification(),)
    arguments = ("dropout",)
    input_axes = dict.fromkeys(SEQUENCES, "BCT")

    def __init__(self, backbone, dropout=0.1, **kwargs):
        super().__init__(backbone, dropout=dropout, **kwargs)

    def add_heads(self, config):
        self.classifier = self.make_head("classifier", 1)

    def call(self, inputs, training=False):
        flat, rows, num_choices = merge_choices(select_inputs(self, inputs))
        pooled = self.backbone(flat, training=training)["pooled_output"]
        scores = self.classifier(pooled, training=training)  # (B C, 1)
        return {"logits": ops.reshape(scores, (rows, num_choices))}

    def text_columns(self, x):
        """Reads `(questions, choices)`, with a list of choices for each."""
        return choice_columns(x)

    def inputs_of_columns(self, columns):
        return choice_inputs(self, columns)

    def rank(self, question, choices, context=None, batch_size=32):
        """Ranks the choices of a question, the likeliest first.

        Uses the tokenizer of the model's preprocessor. A row of the model is
        `[CLS] question [SEP] choice [SEP]`, or with a context as for RACE
        `[CLS] context [SEP] question with choice [SEP]`, where the choice
        takes the place of "_" in the question or follows it.

        Args:
            question: A string or a list of strings.
            choices: A list of strings; for a list of questions a list of such
                lists, of any lengths.
            context: The text that the question is about; for a list of
                questions a list of texts. None if there is none.
            batch_size: Maximum number of rows in a batch.

        Returns:
            For one question a list of dictionaries, otherwise a list of lists:
            `choice`, its `index` in `choices`, and its `probability`.

        Raises:
            ValueError: If the model has no tokenizer, a text is None, NaN,
                blank or no string (names its row), or lengths differ.

        Example:

        ```python
        model = ak.load_model("runs/race/best")
        model.rank("It rains, so she takes", ["an umbrella.", "a spoon."])
        # [{"choice": "an umbrella.", "index": 0, "probability": 0.9}, ...]
        ```
        """
        return rank(self, question, choices, context, batch_size)
