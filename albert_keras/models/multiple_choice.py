"""ALBERT for choosing one of several sequences."""

import keras
from keras import ops

from albert_keras.losses import classification
from albert_keras.models.inputs import SEQUENCES, select_inputs
from albert_keras.models.task import AlbertTask


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
        inputs = select_inputs(self, inputs)
        rows, num_choices, length = ops.shape(inputs["token_ids"])
        flat = {
            name: ops.reshape(array, (rows * num_choices, length))
            for name, array in inputs.items()
        }
        pooled = self.backbone(flat, training=training)["pooled_output"]
        scores = self.classifier(pooled, training=training)  # (B C, 1)
        return {"logits": ops.reshape(scores, (rows, num_choices))}
