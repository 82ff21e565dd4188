"""Segment pairs for sentence-order prediction (ALBERT paper, section 3.1).

Consecutive sentences of a document fill a sequence; a cut between two of
them makes segments A and B, which are exchanged in half of the pairs. The
sequence is fixed, where it is cut and whether the order is swapped are drawn
anew each time.

Departures from Google's generator, each for a balanced task:
a last sentence left alone takes its predecessor along; a document of one
sentence is cut inside at a word, where Google takes B from another document,
which always is "swapped" and can be told by topic.
"""

import dataclasses

import numpy as np

from albert_keras.data.random_fields import uniform

IN_ORDER, SWAPPED = 0, 1
_SPECIAL_TOKENS = 3  # [CLS] A [SEP] B [SEP]


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Runs of sentences, each enough for one input.

    Attributes:
        first, end: Sentence indices `(N,)`; `end` is exclusive.
    """

    first: np.ndarray
    end: np.ndarray

    def __len__(self):
        return len(self.first)


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
    sentence_offsets, document_offsets, documents, sequence_length
):
    """Cuts documents into runs of sentences that fill a sequence.

    Each run takes sentences until it has `sequence_length` - 3 tokens or the
    document ends; the last one may overflow and is cut when it is used.

    Args:
        sentence_offsets, document_offsets: See `TokenStore`.
        documents: Indices of the documents to use.
        sequence_length: Length of the input, special tokens included.

    Returns:
        `Sequences` in the order of the text; documents of fewer than two
        tokens are left out.
    """
    budget = sequence_length - _SPECIAL_TOKENS
    starts = np.asarray(document_offsets[documents])
    ends = np.asarray(document_offsets[np.asarray(documents) + 1])
    long_enough = sentence_offsets[ends] - sentence_offsets[starts] >= 2
    cursor, ends = starts[long_enough], ends[long_enough]
    firsts, lasts = [], []
    while cursor.size:
        # The first sentence that begins a budget or more behind the cursor.
        stop = np.searchsorted(
            sentence_offsets, sentence_offsets[cursor] + budget
        )
        stop = np.minimum(np.maximum(stop, cursor + 1), ends)
        # A last sentence that would be left alone takes one along, or joins
        # the run where that one has no more than two.
        lonely = (stop == ends - 1) & (stop > cursor)
        stop = np.where(lonely & (stop - cursor > 2), stop - 1, stop)
        stop = np.where(lonely & (stop == ends - 1), ends, stop)
        firsts.append(cursor)
        lasts.append(stop)
        more = stop < ends
        cursor, ends = stop[more], ends[more]
    if not firsts:
        empty = np.zeros(0, "int64")
        return Sequences(empty, empty)
    first, end = np.concatenate(firsts), np.concatenate(lasts)
    order = np.argsort(first)
    return Sequences(first[order], end[order])


def draw_segment_pairs(
    rows,
    first,
    end,
    sentence_offsets,
    starts_word,
    sequence_length,
    short_sequence_prob,
    seed,
):
    """Draws where each row is cut and whether its segments are swapped.

    Args:
        rows: Identities of the rows `(R,)`, which the draws depend on.
        first, end: Sentences of each row `(R,)`.
        sentence_offsets: See `TokenStore`.
        starts_word: `positions -> booleans`, whether tokens begin a word.
        sequence_length: Length of the input, special tokens included.
        short_sequence_prob: Probability of a shorter target length.
        seed: Non-negative integer.

    Returns:
        `SegmentPairs` that fit the sequence length.
    """
    budget = sequence_length - _SPECIAL_TOKENS
    draws = uniform(seed, "segments", rows, 5)
    first, end = _shorten(
        first, end, sentence_offsets, budget, short_sequence_prob, draws
    )
    start, stop = sentence_offsets[first], sentence_offsets[end]
    middle = _draw_cut(first, end, sentence_offsets, starts_word, draws[:, 3])

    swapped = draws[:, 4] < 0.5
    first_start = np.where(swapped, middle, start)
    second_start = np.where(swapped, start, middle)
    first_length = np.where(swapped, stop - middle, middle - start)
    second_length = np.where(swapped, middle - start, stop - middle)

    lose_first, lose_second = _excess(first_length, second_length, budget)
    front_first = _front_share(seed, "cut first", rows, lose_first)
    front_second = _front_share(seed, "cut second", rows, lose_second)
    return SegmentPairs(
        first_start + front_first,
        first_length - lose_first,
        second_start + front_second,
        second_length - lose_second,
        np.where(swapped, SWAPPED, IN_ORDER).astype("int32"),
    )


def _shorten(first, end, sentence_offsets, budget, probability, draws):
    """In some rows, keeps a run of sentences with a drawn target length."""
    short = draws[:, 0] < probability
    target = 2 + (draws[:, 1] * (budget - 1)).astype("int64")
    count = end - first
    # At least two sentences stay where there are two.
    offset = (draws[:, 2] * np.maximum(count - 1, 1)).astype("int64")
    short_first = first + offset
    short_end = np.searchsorted(
        sentence_offsets, sentence_offsets[short_first] + target
    )
    short_end = np.maximum(short_end, short_first + np.minimum(count, 2))
    short_end = np.minimum(short_end, end)
    return np.where(short, short_first, first), np.where(short, short_end, end)


def _draw_cut(first, end, sentence_offsets, starts_word, draws):
    """Token position of the cut: a sentence's start, or a word's."""
    count = end - first
    sentence = first + 1 + (draws * np.maximum(count - 1, 1)).astype("int64")
    middle = sentence_offsets[np.minimum(sentence, end - 1)].copy()

    single = np.flatnonzero(count == 1)
    if single.size:
        start, stop = (sentence_offsets[s][single] for s in (first, end))
        inside = start + 1
        inside += (draws[single] * (stop - start - 1)).astype("int64")
        middle[single] = _nearest_word_start(inside, start, stop, starts_word)
    return middle


def _nearest_word_start(position, start, stop, starts_word):
    """The last word start up to a position, else the next, else itself."""
    before = _walk(position, -1, start, stop, starts_word)
    after = _walk(position, 1, start, stop, starts_word)
    return np.select([before > start, after < stop], [before, after], position)


def _walk(position, step, start, stop, starts_word):
    """Walks each position until it begins a word or meets start or stop."""
    position = position.copy()
    moving = np.flatnonzero((position > start) & (position < stop))
    while moving.size:
        moving = moving[~starts_word(position[moving])]
        position[moving] += step
        inside = (position > start) & (position < stop)
        moving = moving[inside[moving]]
    return position


def _excess(first_length, second_length, budget):
    """How many tokens each segment loses: always the longer one's."""
    excess = np.maximum(first_length + second_length - budget, 0)
    from_first = np.minimum(excess, np.maximum(first_length - second_length, 0))
    from_second = np.minimum(
        excess, np.maximum(second_length - first_length, 0)
    )
    rest = excess - from_first - from_second
    # Then both in turn, the second first.
    return from_first + rest // 2, from_second + (rest + 1) // 2


def _front_share(seed, stream, rows, lost):
    """How many of the lost tokens go at the front, each with 1/2."""
    front = np.zeros_like(lost)
    cut = np.flatnonzero(lost)
    if cut.size:
        most = int(lost[cut].max())
        at_front = uniform(seed, stream, rows[cut], most) < 0.5
        counted = np.arange(most) < lost[cut][:, None]
        front[cut] = (at_front & counted).sum(axis=1)
    return front
