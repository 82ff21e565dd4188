"""N-gram masking (ALBERT paper, section 4.1) of many rows at once.

The words of each segment are cut from left to right into n-grams whose
lengths are drawn with p(n) = (1/n) / (1 + 1/2 + ... + 1/N). In random order
n-grams are masked until 15% of the row's pieces are; the last one is
shortened to what is left. No two overlap, so nothing need be redrawn, and a
row takes a few array operations instead of a loop over its tokens.
"""

import dataclasses

import numpy as np

from albert_keras.data.stateless_random import uniform_at

_MASKED, _RANDOM = 0.8, 0.9  # below: [MASK]; below: random piece; else kept


@dataclasses.dataclass(frozen=True)
class MaskedSpans:
    """The n-grams that were chosen.

    Attributes:
        row: Row of each span `(N,)`.
        drawn: Number of words drawn for it, 1 to the largest n.
        kept: Number of words masked: less than drawn where the segment or
            the row's share of 15% ended.
    """

    row: np.ndarray
    drawn: np.ndarray
    kept: np.ndarray


@dataclasses.dataclass(frozen=True)
class NgramMasking:
    """Settings of the masking, and the masking of a batch.

    Attributes:
        vocabulary_size: Random pieces are drawn from all ids, as in Google's
            release.
        mask_id: Id of `[MASK]`.
        max_predictions: Slots P for each row.
        masked_lm_prob: Share of the pieces to predict.
        max_ngram: Largest n.
        seed: Non-negative integer.
    """

    vocabulary_size: int
    mask_id: int
    max_predictions: int
    masked_lm_prob: float = 0.15
    max_ngram: int = 3
    seed: int = 0

    def __call__(self, rows, token_ids, is_text, begins_word, segment_ids):
        """Masks a batch.

        Args:
            rows: Identities of the rows `(R,)`, which the draws depend on.
            token_ids: Integers `(R, T)`.
            is_text: Booleans `(R, T)`: pieces of whole words, no special
                token, no part of a word that was cut.
            begins_word: Booleans `(R, T)`: the piece begins a word.
            segment_ids: Integers `(R, T)`; no n-gram spans two segments.

        Returns:
            The masked ids `(R, T)`, positions `(R, P)` in ascending order,
            the original ids there `(R, P)`, weights `(R, P)` (0 in empty
            slots, whose position and id are 0), and the `MaskedSpans`.
        """
        budgets = self.budgets(is_text.sum(axis=1))
        chosen, spans = self._choose(
            rows, is_text, is_text & begins_word, segment_ids, budgets
        )
        # Chosen positions first, in their order.
        order = np.argsort(~chosen, axis=1, kind="stable")
        positions = order[:, : self.max_predictions]
        weights = np.take_along_axis(chosen, positions, axis=1)
        positions = np.where(weights, positions, 0).astype("int32")
        labels = np.take_along_axis(token_ids, positions, axis=1)
        labels = np.where(weights, labels, 0)
        masked_ids = token_ids.copy()
        row, column = np.nonzero(chosen)
        masked_ids[row, column] = self._replace(
            rows[row], column, token_ids[row, column]
        )
        return masked_ids, positions, labels, weights.astype("float32"), spans

    def budgets(self, num_pieces):
        """How many pieces to predict in rows of so many."""
        wanted = np.rint(self.masked_lm_prob * num_pieces).astype("int64")
        wanted = np.minimum(np.maximum(wanted, 1), num_pieces)
        return np.minimum(wanted, self.max_predictions)

    def _choose(self, rows, is_text, begins, segment_ids, budgets):
        width = is_text.shape[1]
        word_at = np.flatnonzero(begins)
        if not word_at.size:
            nothing = np.zeros(0, "int64")
            return np.zeros_like(is_text), MaskedSpans(*[nothing] * 3)
        # Words in the order of the text, and where their pieces end in all.
        word_of_piece = np.cumsum(begins.ravel()) - 1
        pieces = np.bincount(word_of_piece[is_text.ravel()])
        piece_ends = np.concatenate([[0], np.cumsum(pieces)])
        row_of_word = word_at // width
        lane_of_word = row_of_word * 2 + segment_ids.ravel()[word_at]

        grams = self._cut_into_ngrams(rows, lane_of_word, width)
        order = np.lexsort((grams["key"], grams["row"]))
        grams = {name: values[order] for name, values in grams.items()}
        kept = _accept(grams, piece_ends, budgets)

        taken = kept > 0
        first, count = grams["first"][taken], kept[taken]
        edges = np.zeros(len(pieces) + 1, "int64")
        np.add.at(edges, first, 1)
        np.add.at(edges, first + count, -1)
        word_chosen = np.cumsum(edges[:-1]) > 0
        chosen = is_text & word_chosen[word_of_piece].reshape(is_text.shape)
        spans = MaskedSpans(grams["row"][taken], grams["drawn"][taken], count)
        return chosen, spans

    def _cut_into_ngrams(self, rows, lane_of_word, width):
        """N-grams of each lane (segment of a row): first word and words."""
        lanes, lane_first, lane_words = np.unique(
            lane_of_word, return_index=True, return_counts=True
        )
        # Each lane has its columns of the row's random numbers.
        row, segment = lanes // 2, lanes % 2
        columns = segment[:, None] * width + np.arange(lane_words.max())
        drawn = self.draw_lengths(
            uniform_at(self.seed, "ngram", rows[row][:, None], columns)
        )
        begin = np.cumsum(drawn, axis=1) - drawn
        lane, column = np.nonzero(begin < lane_words[:, None])
        keys = uniform_at(
            self.seed, "order", rows[row[lane]], columns[lane, column]
        )
        begin, drawn = begin[lane, column], drawn[lane, column]
        return {
            "row": row[lane],
            "first": lane_first[lane] + begin,
            "drawn": drawn,
            "words": np.minimum(drawn, lane_words[lane] - begin),
            "key": keys,
        }

    def draw_lengths(self, uniforms):
        """Lengths n with p(n) proportional to 1/n, from uniform numbers."""
        weights = 1.0 / np.arange(1, self.max_ngram + 1)
        bounds = np.cumsum(weights / weights.sum())[:-1]
        return 1 + np.searchsorted(bounds, uniforms, side="right")

    def _replace(self, rows, columns, token_ids):
        """80% [MASK], 10% a random piece, 10% as it is; for each piece."""
        kind = uniform_at(self.seed, "replacement", rows, columns)
        pieces = uniform_at(self.seed, "piece", rows, columns)
        random_ids = (pieces * self.vocabulary_size).astype(token_ids.dtype)
        return np.where(
            kind < _MASKED,
            token_ids.dtype.type(self.mask_id),
            np.where(kind < _RANDOM, random_ids, token_ids),
        )


def _accept(grams, piece_ends, budgets):
    """How many words of each n-gram are masked, in the order given.

    Each round takes the n-grams that fit one after another, shortens the
    first that does not, and goes on behind it with what is left.
    """
    row, first, words = grams["row"], grams["first"], grams["words"]
    kept = np.zeros(len(row), "int64")
    left = budgets.copy()
    pending = np.arange(len(row))
    while pending.size:
        r, f, w = row[pending], first[pending], words[pending]
        size = piece_ends[f + w] - piece_ends[f]
        total = np.cumsum(size)
        row_start = np.searchsorted(r, r)
        total -= (total - size)[row_start]  # summed up within the row
        fits = total <= left[r]  # a run at the start of each row
        kept[pending[fits]] = w[fits]

        # The first that does not fit: as many of its words as do.
        place = np.arange(len(r)) - row_start
        num_fitting = np.bincount(r[fits], minlength=len(left))
        blocked = np.flatnonzero(place == num_fitting[r])
        room = left[r[blocked]] - (total - size)[blocked]
        fewer = np.zeros(len(blocked), "int64")
        for count in range(1, int(w.max())):
            end = f[blocked] + np.minimum(count, w[blocked])
            count_fits = piece_ends[end] - piece_ends[f[blocked]] <= room
            fewer[count_fits & (count < w[blocked])] = count
        kept[pending[blocked]] = fewer

        used = piece_ends[f + kept[pending]] - piece_ends[f]
        np.subtract.at(left, r, used)
        pending = pending[(place > num_fitting[r]) & (left[r] > 0)]
    return kept
