"""Words in pieces with a tag each, as the model reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from albert_keras.data.tasks.conll import Conll
from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.example_batches import Examples
from albert_keras.tokenization.packing import pack_slices
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class TokenWindows(Examples):
    """`[CLS] words [SEP]`, with a tag at the first piece of each word.

    So Devlin et al. 2018 (section 5.4) do it. A sentence that is too long is
    cut between words into windows that overlap by half; each word counts in
    the window where it has most context, and in no other. Of a word that no
    window has room for the first pieces are taken. A word of which the
    vocabulary makes nothing is `<unk>`.

    Args:
        conll: A `Conll`.
        tag_names: Tags in the order of their ids. Words with others have no
            label.
        tokenizer: An `AlbertTokenizer`.
        max_seq_length: Length T of the longest rows.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels, weights)`: int32 `token_ids`, `segment_ids`,
    `padding_mask` `(B, T)`, int32 tag ids and float32 weights `(B, T)`, 1
    where a word's label is.

    Attributes:
        conll, tag_names: As given.
        num_cut_sentences: Sentences of more than one window.
        cut_words: (number of the line, word) of words that were cut.
        unknown_tags: (number of the line, tag) of words with other tags.

    Raises:
        ValueError: If no room is left for a word.
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
                "`max_seq_length` must leave room for words beside two "
                f"special pieces. Received: {max_seq_length}."
            )
        self.conll = conll
        self.tag_names = tuple(tag_names)
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
        # Where the pieces of each word begin, and at last where they end.
        self._begins = np.cumsum([0, *np.minimum(lengths, room)])
        self._label_words([(number, row[-1]) for number, row in lines])
        self._cut_into_windows(room)

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        start, end = self._begins[self._words[indices].T]
        inputs = pack_slices(
            [(self._ids, start, end - start)], self.tokenizer, width
        )
        own = self._begins[self._own_words[indices]]  # (B, 2)
        piece = start[:, None] + np.arange(width) - 1
        counts = (piece >= own[:, :1]) & (piece < own[:, 1:])
        labels = self._labels[np.where(counts, piece, 0)]
        counts &= labels >= 0
        return (
            inputs,
            np.where(counts, labels, 0).astype("int32"),
            counts.astype("float32"),
        )

    def tags_of_words(self, tag_ids):
        """The tag of each word of each sentence.

        Args:
            tag_ids: For each window the tag ids at its positions, integers
                `(T,)` with T at least its length.

        Returns:
            Lists of tags, as `Conll.tags`.
        """
        found = np.zeros(len(self._begins) - 1, int)
        for ids, words, (first, last) in zip(
            tag_ids, self._words, self._own_words, strict=True
        ):
            positions = self._begins[first:last] - self._begins[words[0]] + 1
            found[first:last] = ids[positions]
        names = iter([self.tag_names[tag_id] for tag_id in found])
        return [
            [next(names) for _ in sentence.rows]
            for sentence in self.conll.sentences
        ]

    # === Made once ===

    def _encode(self, words, room, kwargs):
        """Sets the pieces of all words; returns how many each has."""
        different = {word: i for i, word in enumerate(dict.fromkeys(words))}
        encoded = encode_texts(self.tokenizer, list(different), **kwargs)
        pieces = [
            encoded.ids_of(i) if n else [self.tokenizer.unknown_id]
            for i, n in enumerate(encoded.lengths)
        ]
        numbers = [different[word] for word in words]
        self._ids = np.concatenate([pieces[n][:room] for n in numbers])
        return np.array([len(pieces[n]) for n in numbers])

    def _label_words(self, tags):
        """Sets the label at the first piece of each word, -1 elsewhere."""
        self._labels = np.full(len(self._ids), -1, "int32")
        self.unknown_tags = []
        if not self.conll.has_tags:
            return
        ids = {name: i for i, name in enumerate(self.tag_names)}
        self._labels[self._begins[:-1]] = [ids.get(t, -1) for _, t in tags]
        self.unknown_tags = [(n, t) for n, t in tags if t not in ids]

    def _cut_into_windows(self, room):
        """Sets first and last word of the windows, and of what counts."""
        words, own_words = [], []
        first = self.num_cut_sentences = 0
        for sentence in self.conll.sentences:
            end = first + len(sentence.rows)
            windows = _windows(self._begins, first, end, room)
            words += windows
            own_words += _own_words(self._begins, windows)
            self.num_cut_sentences += len(windows) > 1
            first = end
        self._words = np.array(words)  # (N, 2)
        self._own_words = np.array(own_words)  # (N, 2)
        start, end = self._begins[self._words.T]
        self.lengths = end - start + 2


def _windows(begins, first, end, room):
    """(first word, word behind the last) of windows that overlap by half."""
    windows = []
    while True:
        last = np.searchsorted(begins, begins[first] + room, "right") - 1
        windows.append((first, min(int(last), end)))
        if last >= end:
            return windows
        half = np.searchsorted(begins, begins[first] + (room + 1) // 2)
        first = min(max(int(half), first + 1), int(last))


def _own_words(begins, windows):
    """For each window the words that have most context in it.

    Of the words that two windows share, the first half of the pieces is
    nearer to the middle of the first.
    """
    bounds = [windows[0][0]]
    for (_, end), (start, _) in zip(windows, windows[1:], strict=False):
        middle = (begins[start] + begins[end]) / 2
        bound = int(np.searchsorted(begins, middle))
        bounds.append(min(max(bound, start, bounds[-1]), end))
    bounds.append(windows[-1][1])
    return list(zip(bounds, bounds[1:], strict=False))
