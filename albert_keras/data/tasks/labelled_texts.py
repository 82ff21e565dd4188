"""Texts or pairs of texts with a label each, as the model reads them."""

import numpy as np

from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.example_batches import Examples
from albert_keras.tokenization.packing import (
    pack_slices,
    truncate_longest_first,
)


class LabelledTexts(Examples):
    """`[CLS] text [SEP]`, or `[CLS] text [SEP] other [SEP]`.

    What is too long is cut as in Google's release: of a pair the longer
    text, at its end, the second on a tie.

    Args:
        texts: Strings; or two sequences of them, for pairs, in a tuple:
            `(texts,)` or `(texts, others)`.
        labels: `(N,)`, integers for classes and floats for scores; None
            without labels.
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Length T of the longest rows.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels)`: int32 `token_ids`, `segment_ids`,
    `padding_mask` `(B, T)`, and the labels `(B,)`.

    Attributes:
        labels: As given.
        cut: Indices of the rows that were cut.

    Raises:
        ValueError: If no room is left for the text.
    """

    def __init__(self, texts, labels, tokenizer, sequence_length=512, **kwargs):
        num_special = len(texts) + 1
        if sequence_length <= num_special:
            raise ValueError(
                "`sequence_length` must leave room for text beside "
                f"{num_special} special pieces. Received: {sequence_length}."
            )
        self.labels = labels
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        flat = [text for segment in texts for text in segment]
        self._encoded = encode_texts(tokenizer, flat, **kwargs)
        whole = self._encoded.lengths.reshape(len(texts), -1)  # (S, N)
        self._starts = self._encoded.bounds[:-1].reshape(whole.shape)
        room = sequence_length - num_special
        self._kept = truncate_longest_first(whole, room)
        self.cut = np.flatnonzero((self._kept < whole).any(axis=0))
        self.lengths = self._kept.sum(axis=0) + num_special

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        segments = [
            (self._encoded.ids, starts[indices], lengths[indices])
            for starts, lengths in zip(self._starts, self._kept, strict=True)
        ]
        inputs = pack_slices(segments, self.tokenizer, width)
        return inputs, None if self.labels is None else self.labels[indices]
