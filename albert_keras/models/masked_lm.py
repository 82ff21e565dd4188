"""ALBERT with the masked-language-model head."""

import keras
import numpy as np
from keras import ops

from albert_keras.layers.masked_lm_head import MaskedLMHead
from albert_keras.losses import masked_language_modeling
from albert_keras.models.inputs import SEQUENCES, select_inputs
from albert_keras.models.task import AlbertTask
from albert_keras.models.texts.filling import fill_mask, masked_inputs


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

    def initialize_tokens(self, embeddings, output_bias=None):
        """Starts the token embeddings from given ones, before training.

        `ak.data.corpus_embeddings` computes them from a corpus.

        Args:
            embeddings: `(V, E)`. Each row is scaled to the mean norm of the
                present table's rows; a token whose row is 0, such as
                `[MASK]`, keeps its present row.
            output_bias: The masked-LM head's bias `(V,)`; None keeps it. With
                the log frequencies of the tokens the first loss is about the
                unigram entropy.

        Raises:
            ValueError: If a shape is not the model's.
        """
        table = self.backbone.token_table
        embeddings = np.asarray(embeddings, "float32")
        bias = None if output_bias is None else np.asarray(output_bias)
        for name, received, variable in (
            ("embeddings", embeddings, table),
            ("output_bias", bias, self.mlm_head.output_bias),
        ):
            if received is not None and received.shape != variable.shape:
                raise ValueError(
                    f"`{name}` must be of shape {tuple(variable.shape)}, a "
                    f"row for each token. Received: {received.shape}. "
                    "Compute it with the model's vocabulary."
                )
        present = ops.convert_to_numpy(table).astype("float32")
        norm = np.linalg.norm(present, axis=1).mean()
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        is_given = norms > 0
        scaled = embeddings * (norm / np.where(is_given, norms, 1))
        table.assign(np.where(is_given, scaled, present))
        if bias is not None:
            self.mlm_head.output_bias.assign(bias)

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

    def inputs_of_columns(self, columns):
        return masked_inputs(self, columns)

    def fill_mask(self, texts, top=5, batch_size=32):
        """Predicts the likeliest tokens for each `[MASK]` of texts.

        Args:
            texts: A string, or a list, an array or a Series of strings.
            top: Number of tokens for each mask.
            batch_size: Maximum number of rows in a batch.

        Returns:
            For one string a list with an item for each mask, otherwise a list
            of these. The item is a list of dictionaries, the likeliest token
            first: `token`, with the mark of a word's start; `text`, without
            it; and `probability`.

        Raises:
            ValueError: If the model has no tokenizer, or a text has no mask,
                is too long, None, NaN, blank or no string; names its row.

        Example:

        ```python
        model = ak.AlbertForMaskedLM.from_pretrained("albert_base")
        model.fill_mask("Paris is the [MASK] of France.", top=1)
        # [[{"token": "▁capital", "text": "capital", "probability": 0.94}]]
        ```
        """
        return fill_mask(self, texts, top, batch_size)
