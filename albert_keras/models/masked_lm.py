"""ALBERT with the masked-language-model head."""

import keras
from keras import ops

from albert_keras.layers.masked_lm_head import MaskedLMHead
from albert_keras.losses import masked_language_modeling
from albert_keras.models.inputs import SEQUENCES, select_inputs
from albert_keras.models.task import AlbertTask


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForMaskedLM(AlbertTask):
    """Predicts the tokens at given positions.

    Args:
        backbone: An `AlbertBackbone`.
        head_epsilon: Epsilon of the head's layer normalization; None uses
            that of the backbone. KerasHub's models use 1e-5.

    Call arguments:
        inputs: `token_ids`, `segment_ids` and `padding_mask` as for the
            backbone, and `mask_positions`: integers `(B, P)`.

    Returns:
        `{"mlm_logits": (B, P, V)}`.

    Labels for `fit`: `{"mlm": (B, P) ids}`, sample weights
    `{"mlm": (B, P)}`.
    """

    objectives = (masked_language_modeling(),)
    arguments = ("head_epsilon",)
    input_axes = {**SEQUENCES, "mask_positions": "BP"}

    def __init__(self, backbone, head_epsilon=None, **kwargs):
        super().__init__(backbone, head_epsilon=head_epsilon, **kwargs)

    def add_heads(self, config):
        self.mlm_head = MaskedLMHead(
            vocabulary_size=config.vocabulary_size,
            embedding_dim=config.embedding_dim,
            activation=config.activation,
            layer_norm_epsilon=self.head_epsilon or config.layer_norm_epsilon,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="mlm_head",
        )
        self.mlm_head.build((None, None, config.hidden_dim))

    def call(self, inputs, training=False):
        encoded = self.encode(inputs, training)
        return {"mlm_logits": self.mlm_logits(encoded)}

    def encode(self, inputs, training):
        """Returns the backbone's outputs at the masked positions."""
        inputs = select_inputs(self, inputs)
        inputs["read_positions"] = inputs.pop("mask_positions")
        return self.backbone(inputs, training=training)

    def mlm_logits(self, encoded):
        """Returns logits `(B, P, V)` for the outputs of `encode`."""
        return self.mlm_head(
            encoded["sequence_output"],
            None,
            ops.cast(self.backbone.token_table, self.compute_dtype),
        )
