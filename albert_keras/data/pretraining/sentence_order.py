"""Segment pairs for sentence-order prediction, SOP (ALBERT paper, section 3.1).

Consecutive sentences of a document fill a sequence. Each time a sequence is
used, a random sentence boundary splits it into segments A and B, and half of
the pairs are swapped:

    in order (label 0)    [CLS] A [SEP] B [SEP]
    swapped (label 1)     [CLS] B [SEP] A [SEP]

The sequences are the same in every pass; splits and swaps are drawn again.

Differences from Google's `create_pretraining_data.py`, so that the task is
balanced and every token is used:

- Text that does not fit into a sequence begins the next one. Google truncates
  it.
- A document's last two sentences share a sequence if they fit, so that the
  last one is not left alone.
- A sequence of a single sentence is split at a word. Google takes B from a
  random document and labels the pair 1, so that the topic gives it away.
- Short lengths (section 4.1: 10% of the sequences) are drawn per sequence, not
  per document.

A sequence ends with a sentence where possible: if it ends inside one, the
punctuation before the first [SEP] can give the order away. On Wikipedia, no
sequence of 512 tokens ends inside a sentence; a sixth of those of 128 and most
of those of 32 do.
"""

import dataclasses

import numpy as np

from albert_keras.data.stateless_random import uniform

IN_ORDER, SWAPPED = 0, 1
_NUM_SPECIAL = 3  # [CLS] A [SEP] B [SEP]
# Share of a sequence that may stay empty for it to end with a sentence.
_MAX_EMPTY = 1 / 3


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Token ranges of a store, one per input sequence.

    Attributes:
        start: Position of the first token, int64 `(N,)`, ascending.
        length: Number of tokens, uint16 `(N,)`.
    """

    start: np.ndarray
    length: np.ndarray

    def __len__(self):
        return len(self.start)


@dataclasses.dataclass(frozen=True)
class SegmentPairs:
    """Token ranges of the two segments of each row, in input order.

    Attributes:
        first_start, first_length, second_start, second_length: Position of
            the first token and number of tokens, `(R,)`.
        labels: `IN_ORDER` (0) or `SWAPPED` (1), int32 `(R,)`.
    """

    first_start: np.ndarray
    first_length: np.ndarray
    second_start: np.ndarray
    second_length: np.ndarray
    labels: np.ndarray


def cut_into_sequences(
    sentence_offsets,
    document_offsets,
    documents,
    sequence_length,
    short_sequence_prob=0.0,
    seed=0,
):
    """Partitions documents into the token ranges of input sequences.

    Every token of the documents is in exactly one sequence, except in
    documents of a single token, which cannot form a pair.

    Args:
        sentence_offsets, document_offsets: See `TokenStore`.
        documents: Indices of the documents to use.
        sequence_length: Length T of the input, special tokens included.
        short_sequence_prob: Probability that a sequence gets a shorter target
            length, drawn uniformly from 2 to T - 3.
        seed: Non-negative integer.

    Returns:
        `Sequences` in text order.
    """
    max_tokens = sequence_length - _NUM_SPECIAL
    documents = np.asarray(documents)
    first, last = document_offsets[documents], document_offsets[documents + 1]
    cursor, ends = sentence_offsets[first], sentence_offsets[last]
    last_two = sentence_offsets[np.maximum(last - 2, first)]
    long_enough = ends - cursor >= 2
    cursor, ends = cursor[long_enough], ends[long_enough]
    last_two = last_two[long_enough]
    starts, lengths = [np.zeros(0, "int64")], [np.zeros(0, "uint16")]
    # Each round cuts the next sequence of all documents that have text left.
    while cursor.size:
        target = _target_lengths(cursor, max_tokens, short_sequence_prob, seed)
        length = _next_lengths(cursor, ends, last_two, target, sentence_offsets)
        starts.append(cursor)
        lengths.append(length.astype("uint16"))
        more = cursor + length < ends
        cursor = (cursor + length)[more]
        ends, last_two = ends[more], last_two[more]
    start, length = np.concatenate(starts), np.concatenate(lengths)
    order = np.argsort(start)
    return Sequences(start[order], length[order])


def _target_lengths(cursor, max_tokens, probability, seed):
    """Number of tokens that the sequence at each position should have."""
    if not probability:
        return np.full(len(cursor), max_tokens)
    draws = uniform(seed, "length", cursor, 2)
    short = 2 + (draws[:, 1] * (max_tokens - 1)).astype("int64")
    return np.where(draws[:, 0] < probability, short, max_tokens)


def _next_lengths(cursor, ends, last_two, target, sentence_offsets):
    """Number of tokens that the sequence at each position gets.

    Args:
        cursor, ends: Position of the sequence and end of its document.
        last_two: Start of the document's last two sentences.
        target: Number of tokens that the sequence should have.
        sentence_offsets: See `TokenStore`.
    """
    stop = np.minimum(cursor + target, ends)
    # End with a sentence, unless that leaves too much of the sequence empty.
    last = sentence_offsets.searchsorted(stop, "right") - 1
    sentence_end = sentence_offsets[last]
    is_full = stop - sentence_end <= _MAX_EMPTY * target
    stop = np.where(is_full & (sentence_end - cursor >= 2), sentence_end, stop)
    # Keep the document's last two sentences together if they fit.
    splits_them = (stop > last_two) & (stop < ends)
    splits_them &= (last_two - cursor >= 2) & (ends - last_two <= target)
    stop = np.where(splits_them, last_two, stop)
    # Leave no single token: it could not form a pair.
    one_left = ends - stop == 1
    stop += np.where(one_left, np.where(stop - cursor < target, 1, -1), 0)
    return stop - cursor


def draw_segment_pairs(
    rows, start, length, sentence_offsets, begins_word, seed
):
    """Draws where each sequence is split, and whether its order is swapped.

    Args:
        rows: Identity of each row, integers `(R,)`: keys of the random draws.
        start, length: Token range of each row's sequence, `(R,)`.
        sentence_offsets: See `TokenStore`.
        begins_word: Function `positions -> booleans`: whether the tokens
            there begin a word.
        seed: Non-negative integer.

    Returns:
        `SegmentPairs` that cover each row's sequence.
    """
    draws = uniform(seed, "segments", rows, 2)
    stop = start + length
    middle = _draw_split(
        start, stop, sentence_offsets, begins_word, draws[:, 0]
    )
    swapped = draws[:, 1] < 0.5
    return SegmentPairs(
        np.where(swapped, middle, start),
        np.where(swapped, stop - middle, middle - start),
        np.where(swapped, start, middle),
        np.where(swapped, middle - start, stop - middle),
        np.where(swapped, SWAPPED, IN_ORDER).astype("int32"),
    )


def _draw_split(start, stop, sentence_offsets, begins_word, draws):
    """Position where segment B begins: a sentence, else a word."""
    first = sentence_offsets.searchsorted(start, "right")
    last = sentence_offsets.searchsorted(stop)
    count = last - first  # sentences that begin inside the sequence
    sentence = first + (draws * np.maximum(count, 1)).astype("int64")
    middle = sentence_offsets[np.minimum(sentence, last)]

    at_word = np.flatnonzero(count == 0)
    if at_word.size:
        begin, end = start[at_word], stop[at_word]
        inside = (draws[at_word] * (end - begin - 1)).astype("int64")
        middle[at_word] = _nearest_word_begin(
            begin + 1 + inside, begin, end, begins_word
        )
    return middle


def _nearest_word_begin(position, start, stop, begins_word):
    """The last word begin up to a position, else the next, else itself."""
    before = _walk(position, -1, start, stop, begins_word)
    after = _walk(position, 1, start, stop, begins_word)
    return np.select([before > start, after < stop], [before, after], position)


def _walk(position, step, start, stop, begins_word):
    """Moves each position until it begins a word or meets start or stop."""
    position = position.copy()
    moving = np.flatnonzero((position > start) & (position < stop))
    while moving.size:
        moving = moving[~begins_word(position[moving])]
        position[moving] += step
        inside = (position > start) & (position < stop)
        moving = moving[inside[moving]]
    return position
