"""Encodes sentences of tagged words for token classification."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from albert_keras.data.tasks.conll import Conll
from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.examples import Examples
from albert_keras.tokenization.packing import pack_slices
from albert_keras.tokenization.text_list import text_list
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class TokenWindows(Examples):
    """Rows `[CLS] words [SEP]`, labeled at the first token of each word.

    This is the scheme of BERT (Devlin et al. 2018, section 5.3). A sentence
    that is too long is split between words into windows that overlap by half;
    each word is labeled and predicted only in the window where it has the
    most context. A word longer than a window keeps its first tokens. A word
    that the tokenizer turns into nothing becomes `<unk>`.

    Args:
        conll: A `Conll`.
        tag_names: Tags in the order of their ids. Words with other tags get
            no label.
        tokenizer: An `AlbertTokenizer`.
        max_seq_length: Maximum length T of a row.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels, weights)`: int32 `token_ids`, `segment_ids`,
    `padding_mask` `(B, T)`, int32 tag ids `(B, T)` and float32 weights
    `(B, T)`, 1 at labeled tokens.

    Attributes:
        conll, tag_names: The arguments.
        num_cut_sentences: Number of sentences with more than one window.
        cut_words: (line number, word) of the words that were truncated.
        unknown_tags: (line number, tag) of the words without a label.

    Raises:
        ValueError: If `max_seq_length` only fits the special tokens, or
            `tag_names` is a string.
    """

    def __init__(
        self,
        conll: Conll,
        tag_names: Sequence[str],
        tokenizer: AlbertTokenizer,
        max_seq_length: int = 128,
        **kwargs: Any,
    ) -> None:
        if max_seq_length < 3:
            raise ValueError(
                "`max_seq_length` must leave room for words in addition to "
                f"two special tokens. Received: {max_seq_length}."
            )
        self.conll = conll
        self.tag_names = tuple(text_list(tag_names, "tag_names"))
        self.tokenizer = tokenizer
        self.sequence_length = max_seq_length
        room = max_seq_length - 2
        lines = [
            (sentence.line + number, row)
            for sentence in conll.sentences
            for number, row in enumerate(sentence.rows)
        ]
        lengths = self._encode([row[0] for _, row in lines], room, kwargs)
        self.cut_words = [
            (lines[i][0], lines[i][1][0])
            for i in np.flatnonzero(lengths > room)
        ]
        # Word w has the tokens begins[w] to begins[w + 1].
        self._begins = np.cumsum([0, *np.minimum(lengths, room)])
        self._label_words([(number, row[-1]) for number, row in lines])
        self._cut_into_windows(room)

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        start, end = self._begins[self._words[indices].T]
        inputs = pack_slices(
            [(self._ids, start, end - start)], self.tokenizer, width
        )
        first, stop = self._begins[self._labeled_words[indices].T][..., None]
        token = start[:, None] + np.arange(width) - 1
        is_labeled = (token >= first) & (token < stop)
        labels = self._labels[np.where(is_labeled, token, 0)]
        is_labeled &= labels >= 0
        return (
            inputs,
            np.where(is_labeled, labels, 0).astype("int32"),
            is_labeled.astype("float32"),
        )

    def tags_of_words(self, tag_ids):
        """Collects the predicted tag of each word from all windows.

        Args:
            tag_ids: The predicted tag ids of each window, integers `(T,)`
                with T at least its length.

        Returns:
            The tags of each sentence, like `Conll.tags`.
        """
        predicted = self.values_of_words(tag_ids)
        names = iter([self.tag_names[tag_id] for tag_id in predicted])
        return [
            [next(names) for _ in sentence.rows]
            for sentence in self.conll.sentences
        ]

    def values_of_words(self, rows):
        """Collects the values at the first token of each word.

        Args:
            rows: Values of the tokens of each window, `(T, ...)` with T at
                least its length.

        Returns:
            An array `(W, ...)`, for the words of all sentences in order.
        """
        values = np.zeros(
            (len(self._begins) - 1, *np.shape(rows[0])[1:]),
            np.asarray(rows[0]).dtype,
        )
        for row, words, (first, last) in zip(
            rows, self._words, self._labeled_words, strict=True
        ):
            positions = self._begins[first:last] - self._begins[words[0]] + 1
            values[first:last] = row[positions]
        return values

    # === Construction ===

    def _encode(self, words, room, kwargs):
        """Sets the ids of all words; returns their untruncated lengths."""
        distinct = {word: i for i, word in enumerate(dict.fromkeys(words))}
        encoded = encode_texts(self.tokenizer, list(distinct), **kwargs)
        ids = [
            encoded.ids_of(i) if n else [self.tokenizer.unknown_id]
            for i, n in enumerate(encoded.lengths)
        ]
        indices = [distinct[word] for word in words]
        self._ids = np.concatenate([ids[i][:room] for i in indices])
        return np.array([len(ids[i]) for i in indices])

    def _label_words(self, tags):
        """Sets the label of each word's first token, and -1 elsewhere."""
        self._labels = np.full(len(self._ids), -1, "int32")
        self.unknown_tags = []
        if not self.conll.has_tags:
            return
        ids = {name: i for i, name in enumerate(self.tag_names)}
        self._labels[self._begins[:-1]] = [ids.get(t, -1) for _, t in tags]
        self.unknown_tags = [(n, t) for n, t in tags if t not in ids]

    def _cut_into_windows(self, room):
        """Sets the word range of each window, and that of its labels."""
        words, labeled_words = [], []
        first = self.num_cut_sentences = 0
        for sentence in self.conll.sentences:
            end = first + len(sentence.rows)
            windows = _windows(self._begins, first, end, room)
            words += windows
            labeled_words += _max_context_words(self._begins, windows)
            self.num_cut_sentences += len(windows) > 1
            first = end
        self._words = np.array(words)  # (N, 2)
        self._labeled_words = np.array(labeled_words)  # (N, 2)
        start, end = self._begins[self._words.T]
        self.lengths = end - start + 2


def _windows(begins, first, end, room):
    """Word ranges of windows that overlap by half: (first, end), exclusive."""
    windows = []
    while True:
        last = np.searchsorted(begins, begins[first] + room, "right") - 1
        windows.append((first, min(int(last), end)))
        if last >= end:
            return windows
        half = np.searchsorted(begins, begins[first] + (room + 1) // 2)
        first = min(max(int(half), first + 1), int(last))


def _max_context_words(begins, windows):
    """Word range of each window: the words that have the most context in it.

    The words that two windows share are divided in the middle: those before
    it have more context in the first window, the others in the second.
    """
    bounds = [windows[0][0]]
    for (_, end), (start, _) in zip(windows, windows[1:], strict=False):
        middle = (begins[start] + begins[end]) / 2
        bound = int(np.searchsorted(begins, middle))
        bounds.append(min(max(bound, start, bounds[-1]), end))
    bounds.append(windows[-1][1])
    return list(zip(bounds, bounds[1:], strict=False))
