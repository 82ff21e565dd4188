"""Encodes texts in which `[MASK]` stands for the tokens to predict."""

import numpy as np

from albert_keras.data.tasks.examples import Examples
from albert_keras.decoding.mask_filling import MASK, encode_with_masks
from albert_keras.tokenization.packing import pack_slices
from albert_keras.tokenization.text_list import filled_text_list
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class MaskedTexts(Examples):
    """Rows `[CLS] text [SEP]` with the positions of their masks.

    Args:
        texts: A list of strings, each with at least one `[MASK]`.
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Maximum length T of a row.

    A batch is `(inputs, None)`: int32 `token_ids`, `segment_ids`,
    `padding_mask` `(B, T)`, and `mask_positions` `(B, P)`, 0 after a row's
    last mask.

    Attributes:
        num_masks: Number of masks in each row, integers `(N,)`.

    Raises:
        ValueError: If a text is no string or blank, has no mask or is too
            long; names its row.
    """

    def __init__(
        self,
        texts: list[str],
        tokenizer: AlbertTokenizer,
        sequence_length: int = 512,
    ) -> None:
        texts = filled_text_list(texts)
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        # Without [CLS] and [SEP], which `pack_slices` adds.
        rows = [encode_with_masks(tokenizer, text)[1:-1] for text in texts]
        for number, (text, ids) in enumerate(zip(texts, rows, strict=True)):
            _check(text, ids, number, tokenizer, sequence_length)
        self._ids = np.concatenate([np.zeros(0, "int32"), *rows])
        self._bounds = np.cumsum([0, *map(len, rows)])
        self.lengths = np.diff(self._bounds) + 2
        self._positions = [
            np.flatnonzero(ids == tokenizer.mask_id) + 1 for ids in rows
        ]
        self.num_masks = np.array([len(p) for p in self._positions], int)

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        starts, lengths = self._bounds[indices], self.lengths[indices] - 2
        inputs = pack_slices(
            [(self._ids, starts, lengths)], self.tokenizer, width
        )
        shape = (len(indices), int(self.num_masks[indices].max()))
        positions = np.zeros(shape, "int32")
        for row, index in enumerate(indices):
            positions[row, : self.num_masks[index]] = self._positions[index]
        return {**inputs, "mask_positions": positions}, None


def _check(text, ids, row, tokenizer, sequence_length):
    if tokenizer.mask_id not in ids:
        raise ValueError(
            f"Each text needs a {MASK}. Received: {text!r:.60} in row {row}, "
            f"counted from 0. Write {MASK} in place of a word."
        )
    if len(ids) + 2 > sequence_length:
        raise ValueError(
            f"A text must have at most {sequence_length} tokens, special "
            f"tokens included. Received: {len(ids) + 2} tokens in row {row}, "
            f"counted from 0. Pass the part of the text around the {MASK}."
        )
