"""Segment pairs for sentence-order prediction (ALBERT paper, section 3.1).

Consecutive sentences of a document fill a sequence; a cut between two of
them makes segments A and B, which are exchanged in half of the pairs. The
sequence is fixed, where it is cut and whether the order is swapped are drawn
anew each time.

Departures from Google's generator, each for a balanced task or so that no
text is lost: what does not fit into a sequence begins the next one, where
Google cuts it off; a last sentence left alone takes its predecessor along; a
sequence of one sentence is cut inside at a word, where Google takes B from
another document, which always is "swapped" and can be told by topic; a
shorter length is drawn for a sequence, not for a document.

Sequences end with a sentence where they can: of one that ends within, the
punctuation before the first [SEP] may tell the order. On Wikipedia's text
none do at 512 pieces, a sixth at 128, most at 32.
"""

import dataclasses

import numpy as np

from albert_keras.data.stateless_random import uniform

IN_ORDER, SWAPPED = 0, 1
_SPECIAL_TOKENS = 3  # [CLS] A [SEP] B [SEP]
# Share of a sequence that stays empty rather than cut a sentence in two.
_MOST_EMPTY = 1 / 3


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Runs of tokens, each one input.

    Attributes:
        start: Positions of the first tokens, int64 `(N,)`, ascending.
        length: Numbers of tokens, uint16 `(N,)`.
    """

    start: np.ndarray
    length: np.ndarray

    def __len__(self):
        return len(self.start)


@dataclasses.dataclass(frozen=True)
class SegmentPairs:
    """Two runs of tokens for each row, in the order of the input.

    Attributes:
        first_start, first_length, second_start, second_length: Token
            positions and counts `(R,)`.
        labels: 0 in order, 1 swapped, `(R,)`.
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
    """Cuts documents into runs of tokens that fill a sequence.

    Every token of the documents is in exactly one run, but for documents of a
    single token, which make no pair.

    Args:
        sentence_offsets, document_offsets: See `TokenStore`.
        documents: Indices of the documents to use.
        sequence_length: Length of the input, special tokens included.
        short_sequence_prob: Probability of a run for which a shorter length
            is drawn, evenly from 2 up.
        seed: Non-negative integer.

    Returns:
        `Sequences` in the order of the text.
    """
    budget = sequence_length - _SPECIAL_TOKENS
    documents = np.asarray(documents)
    first, last = document_offsets[documents], document_offsets[documents + 1]
    cursor, ends = sentence_offsets[first], sentence_offsets[last]
    last_two = sentence_offsets[np.maximum(last - 2, first)]
    long_enough = ends - cursor >= 2
    cursor, ends = cursor[long_enough], ends[long_enough]
    last_two = last_two[long_enough]
    starts, lengths = [np.zeros(0, "int64")], [np.zeros(0, "uint16")]
    while cursor.size:
        target = _targets(cursor, budget, short_sequence_prob, seed)
        length = _next_length(cursor, ends, last_two, target, sentence_offsets)
        starts.append(cursor)
        lengths.append(length.astype("uint16"))
        more = cursor + length < ends
        cursor = (cursor + length)[more]
        ends, last_two = ends[more], last_two[more]
    start, length = np.concatenate(starts), np.concatenate(lengths)
    order = np.argsort(start)
    return Sequences(start[order], length[order])


def _targets(cursor, budget, probability, seed):
    """How many tokens the run at each position should have."""
    if not probability:
        return np.full(len(cursor), budget)
    draws = uniform(seed, "length", cursor, 2)
    short = 2 + (draws[:, 1] * (budget - 1)).astype("int64")
    return np.where(draws[:, 0] < probability, short, budget)


def _next_length(cursor, ends, last_two, target, sentence_offsets):
    stop = np.minimum(cursor + target, ends)
    # It ends with a sentence, unless that leaves much of it empty.
    last = sentence_offsets.searchsorted(stop, "right") - 1
    sentence_end = sentence_offsets[last]
    is_full = stop - sentence_end <= _MOST_EMPTY * target
    stop = np.where(is_full & (sentence_end - cursor >= 2), sentence_end, stop)
    # The last two sentences stay together where they fit.
    parts_them = (stop > last_two) & (stop < ends)
    parts_them &= (last_two - cursor >= 2) & (ends - last_two <= target)
    stop = np.where(parts_them, last_two, stop)
    # No token is left alone.
    alone = ends - stop == 1
    stop += np.where(alone, np.where(stop - cursor < target, 1, -1), 0)
    return stop - cursor


def draw_segment_pairs(
    rows, start, length, sentence_offsets, begins_word, seed
):
    """Draws where each row is cut and whether its segments are swapped.

    Args:
        rows: Identities of the rows `(R,)`, which the draws depend on.
        start, length: Tokens of each row `(R,)`.
        sentence_offsets: See `TokenStore`.
        begins_word: `positions -> booleans`, whether tokens begin a word.
        seed: Non-negative integer.

    Returns:
        `SegmentPairs` that together are the row's tokens.
    """
    draws = uniform(seed, "segments", rows, 2)
    stop = start + length
    middle = _draw_cut(start, stop, sentence_offsets, begins_word, draws[:, 0])
    swapped = draws[:, 1] < 0.5
    return SegmentPairs(
        np.where(swapped, middle, start),
        np.where(swapped, stop - middle, middle - start),
        np.where(swapped, start, middle),
        np.where(swapped, middle - start, stop - middle),
        np.where(swapped, SWAPPED, IN_ORDER).astype("int32"),
    )


def _draw_cut(start, stop, sentence_offsets, begins_word, draws):
    """Token position of the cut: a sentence's start, or a word's."""
    first = sentence_offsets.searchsorted(start, "right")
    last = sentence_offsets.searchsorted(stop)
    count = last - first  # sentences that start inside
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
    """The last word start up to a position, else the next, else itself."""
    before = _walk(position, -1, start, stop, begins_word)
    after = _walk(position, 1, start, stop, begins_word)
    return np.select([before > start, after < stop], [before, after], position)


def _walk(position, step, start, stop, begins_word):
    """Walks each position until it begins a word or meets start or stop."""
    position = position.copy()
    moving = np.flatnonzero((position > start) & (position < stop))
    while moving.size:
        moving = moving[~begins_word(position[moving])]
        position[moving] += step
        inside = (position > start) & (position < stop)
        moving = moving[inside[moving]]
    return position
