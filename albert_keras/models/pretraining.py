"""ALBERT with both pretraining heads."""

import keras
from keras import ops

from albert_keras.layers.sentence_order_head import SentenceOrderHead
from albert_keras.losses import (
    masked_language_modeling,
    sentence_order_prediction,
)
from albert_keras.models.masked_lm import masked_lm_head_for
from albert_keras.models.task import AlbertTask


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForPretraining(AlbertTask):
    """Masked-language modelling and sentence-order prediction.

    Args:
        backbone: An `AlbertBackbone`.

    Call arguments:
        inputs: What the backbone takes, and `mask_positions`, integers
            `(B, P)`.

    Returns:
        `{"mlm_logits": (B, P, V), "sop_logits": (B, 2)}`.

    Labels for `fit`: `{"mlm": (B, P) ids, "sop": (B,) 0 = in order,
    1 = swapped}`, sample weights `{"mlm": (B, P)}`.
    """

    objectives = (masked_language_modeling(), sentence_order_prediction())

    def add_heads(self, config):
        self.mlm_head = masked_lm_head_for(config, self.dtype_policy)
        self.sop_head = SentenceOrderHead(
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="sop_head",
        )
        self.mlm_head.build((None, None, config.hidden_dim))
        self.sop_head.build((None, config.hidden_dim))

    def call(self, inputs, training=False):
        encoded = self.backbone(inputs, training=training)
        return {
            "mlm_logits": self.mlm_head(
                encoded["sequence_output"],
                inputs["mask_positions"],
                ops.convert_to_tensor(self.backbone.token_table),
            ),
            "sop_logits": self.sop_head(encoded["pooled_output"]),
        }
