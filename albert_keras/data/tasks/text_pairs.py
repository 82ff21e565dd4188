"""Encodes pairs of texts that mean the same, each text as a row of its own."""

from typing import Any

import numpy as np

from albert_keras.data.tasks.examples import Examples
from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class TextPairs(Examples):
    """Two rows `[CLS] text [SEP]` for each pair, to learn embeddings from.

    Args:
        texts: `(first_texts, second_texts)`.
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Maximum length T of a row; longer ones are truncated.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels)`: int32 `token_ids`, `segment_ids` and
    `padding_mask` `(B, 2, T)`, and labels int32 `(B,)`, which are equal for
    pairs that share a text, or are connected by such pairs.

    Attributes:
        labels: The labels of all pairs.
        cut: Indices of the pairs of which a text was truncated.

    Raises:
        ValueError: As for `LabelledTexts`.
    """

    def __init__(
        self,
        texts: tuple[list[str], list[str]],
        tokenizer: AlbertTokenizer,
        sequence_length: int = 512,
        **kwargs: Any,
    ) -> None:
        first, second = texts
        if len(first) != len(second):
            raise ValueError(
                "Both lists of `texts` must have the same length. Received: "
                f"{len(first)} and {len(second)} texts."
            )
        # All first texts, then all second ones.
        self._rows = LabelledTexts(
            ([*first, *second],), None, tokenizer, sequence_length, **kwargs
        )
        self.labels = _connected(first, second)
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        self.lengths = self._rows.lengths.reshape(2, -1).max(axis=0)
        self.cut = np.unique(self._rows.cut % len(first))

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        rows = np.stack([indices, indices + len(self)], axis=1)  # (B, 2)
        inputs, _ = self._rows.batch(rows.ravel(), width)
        pairs = {
            name: array.reshape(len(indices), 2, -1)
            for name, array in inputs.items()
        }
        return pairs, self.labels[indices]


def _connected(first, second):
    """The number of the first pair that each pair is connected to, int32."""
    parents = list(range(len(first)))

    def root(index):
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    seen: dict[str, int] = {}
    for index, texts in enumerate(zip(first, second, strict=True)):
        for text in texts:
            known = seen.setdefault(text, index)
            one, other = sorted((root(index), root(known)))
            parents[other] = one
    return np.array([root(index) for index in range(len(first))], "int32")
