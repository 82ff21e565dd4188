"""ALBERT with the two heads of pretraining."""

import keras

from albert_keras.layers.sentence_order_head import SentenceOrderHead
from albert_keras.losses import sentence_order_prediction
from albert_keras.models.masked_lm import AlbertForMaskedLM


@keras.saving.register_keras_serializable("albert_keras")
class AlbertForPretraining(AlbertForMaskedLM):
    """Masked language modeling and sentence-order prediction.

    Args:
        backbone, head_epsilon: As for `AlbertForMaskedLM`.

    Call arguments:
        inputs: As for `AlbertForMaskedLM`.

    Returns:
        `{"mlm_logits": (B, P, V), "sop_logits": (B, 2)}`.

    Labels for `fit`: `{"mlm": (B, P) ids, "sop": (B,) 0 = in order,
    1 = swapped}`, sample weights `{"mlm": (B, P)}`; those of "sop"
    are 1 by default.
    """

    objectives = (*AlbertForMaskedLM.objectives, sentence_order_prediction())

    def add_heads(self, config):
        super().add_heads(config)
        self.sop_head = SentenceOrderHead(
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="sop_head",
        )
        self.sop_head.build((None, config.hidden_dim))

    def train_only(self, *names):
        """Trains only some objectives; the other head keeps its weights.

        Call it before `compile`. It is not saved with the model.

        Args:
            *names: `"mlm"`, `"sop"` or both.

        Raises:
            ValueError: If a name is another one, or there is none.
        """
        known = [objective.name for objective in type(self).objectives]
        if not names or any(name not in known for name in names):
            raise ValueError(
                f"Each name must be one of {known}. Received: {names}."
            )
        self.objectives = tuple(
            objective
            for objective in type(self).objectives
            if objective.name in names
        )
        self.mlm_head.trainable = "mlm" in names
        self.sop_head.trainable = "sop" in names

    def call(self, inputs, training=False):
        encoded = self.encode(inputs, training)
        return {
            "mlm_logits": self.mlm_logits(encoded),
            "sop_logits": self.sop_head(encoded["pooled_output"]),
        }
