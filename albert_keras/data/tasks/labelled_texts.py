"""Encodes labeled texts and pairs of texts, as in GLUE."""

import numpy as np

from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.examples import Examples
from albert_keras.tokenization.packing import (
    pack_slices,
    truncate_longest_first,
)
from albert_keras.tokenization.text_list import text_list


class LabelledTexts(Examples):
    """Rows `[CLS] text [SEP]`, or `[CLS] first [SEP] second [SEP]` for pairs.

    Rows that are too long are truncated as in Google's release: tokens are
    removed from the end of the longer text, of the second on a tie.

    Args:
        texts: `(texts,)`, or `(first_texts, second_texts)` for pairs.
        labels: `(N,)`, integers for classes or floats for scores; `(N, C)` for
            0 or 1 for each class; or None.
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Maximum length T of a row.
        weights: Sample weights in the shape of the labels, or None.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels)` or `(inputs, labels, weights)`: int32
    `token_ids`, `segment_ids`, `padding_mask` `(B, T)`, the rows' labels or
    None, and their weights.

    Attributes:
        labels: The argument.
        cut: Indices of the rows that were truncated.

    Raises:
        ValueError: If `sequence_length` only fits the special tokens, `texts`
            is not one or two lists of strings, lists and labels differ in
            length, or labels are not numbers.
    """

    def __init__(
        self,
        texts,
        labels,
        tokenizer,
        sequence_length=512,
        weights=None,
        **kwargs,
    ):
        texts = _segments(texts)
        num_rows = len(texts[0])
        if labels is not None and len(labels) != num_rows:
            raise ValueError(
                "`labels` must have one label for each row. Received: "
                f"{len(labels)} labels, {num_rows} rows of texts."
            )
        num_special = len(texts) + 1
        if sequence_length <= num_special:
            raise ValueError(
                "`sequence_length` must leave room for text in addition to "
                f"{num_special} special tokens. Received: {sequence_length}."
            )
        self.labels = _checked(labels)
        self.weights = None if weights is None else np.asarray(weights)
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        flat = [text for segment in texts for text in segment]
        self._encoded = encode_texts(tokenizer, flat, **kwargs)
        full_lengths = self._encoded.lengths.reshape(len(texts), -1)  # (S, N)
        self._starts = self._encoded.bounds[:-1].reshape(full_lengths.shape)
        room = sequence_length - num_special
        self._kept = truncate_longest_first(full_lengths, room)
        self.cut = np.flatnonzero((self._kept < full_lengths).any(axis=0))
        self.lengths = self._kept.sum(axis=0) + num_special

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        segments = [
            (self._encoded.ids, starts[indices], lengths[indices])
            for starts, lengths in zip(self._starts, self._kept, strict=True)
        ]
        inputs = pack_slices(segments, self.tokenizer, width)
        labels = None if self.labels is None else self.labels[indices]
        if self.weights is None:
            return inputs, labels
        return inputs, labels, self.weights[indices]


def _checked(labels):
    """The labels as an array, which must be numbers."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biuf":
        names = sorted({str(label) for label in labels.ravel()})
        raise ValueError(
            "`labels` must be numbers: class ids from 0, or scores. Received: "
            f"{', '.join(map(repr, names[:5]))}, ... Number the classes, such "
            f"as [names.index(label) for label in labels] with names = "
            f"{names[:5]}, and pass `class_names` to the model."
        )
    return labels


def _segments(texts):
    """Checks texts and returns them as one or two lists of strings."""
    if isinstance(texts, str) or len(texts) not in (1, 2):
        raise ValueError(
            "`texts` must be `(texts,)`, or `(first_texts, second_texts)` for "
            f"pairs. Received: {type(texts).__name__} of {len(texts)} items. "
            "Put a list of texts into a tuple: `(texts,)`."
        )
    segments = [
        text_list(segment, f"texts[{number}]")
        for number, segment in enumerate(texts)
    ]
    if len(segments[0]) != len(segments[-1]):
        raise ValueError(
            "Both lists of `texts` must have the same length. Received: "
            f"{len(segments[0])} and {len(segments[1])} texts."
        )
    return segments
