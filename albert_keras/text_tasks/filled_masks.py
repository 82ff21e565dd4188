"""The likeliest tokens for the `[MASK]`s of texts."""

from typing import Any

import numpy as np

from albert_keras.data.tasks.masked_texts import MaskedTexts
from albert_keras.decoding.mask_filling import likeliest_fills
from albert_keras.problems import softmax
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.text_task import RowsOfOutputs
from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class FilledMasks(RowsOfOutputs):
    """Fills in the `[MASK]`s of texts.

    Args:
        facts: The `ModelFacts`.
        tokenizer: An `AlbertTokenizer`.
        texts: A list of strings.
        top: Number of tokens for each mask.
    """

    outputs = ("mlm_logits",)

    def __init__(
        self,
        facts: ModelFacts,
        tokenizer: AlbertTokenizer,
        texts: list[str],
        top: int = 5,
    ) -> None:
        self.tokenizer = tokenizer
        self.top = top
        self.num_texts = len(texts)
        self.limit = facts.sequence_length
        self.examples: MaskedTexts = MaskedTexts(
            texts, tokenizer, facts.sequence_length
        )

    def add(self, indices: np.ndarray, outputs: dict[str, Any]) -> None:
        logits = np.asarray(outputs["mlm_logits"], "float32")  # (B, P, V)
        for index, row in zip(indices.tolist(), logits, strict=True):
            self.rows[index] = [
                self._likeliest(mask)
                for mask in row[: self.examples.num_masks[index]]
            ]

    def predictions(self) -> list[list[list[dict[str, Any]]]]:
        return self.rows

    def _likeliest(self, logits):
        return [
            {
                "token": fill.piece,
                "text": fill.piece.replace(SPACE_SYMBOL, " ").strip(),
                "probability": fill.probability,
            }
            for fill in likeliest_fills(
                self.tokenizer, softmax(logits), self.top
            )
        ]
