"""N-gram masking (ALBERT paper, section 4.1), vectorized over a batch.

The words of each segment are partitioned from left to right into n-grams,
whose lengths are drawn with

    p(n) = (1/n) / sum_{k=1..N} (1/k),    N = 3.

In random order, n-grams are selected until they have 15% of the row's tokens;
the last one is shortened to the rest. Selected tokens are replaced as in BERT
(Devlin et al. 2018, section 3.1): 80% by [MASK], 10% by a random token, 10%
are kept.

Differences from Google's `create_pretraining_data.py`:

- The n-grams of a partition cannot overlap, and a row takes a few array
  operations instead of a loop over its tokens. Google draws an n-gram at every
  word and skips those that overlap an earlier one.
- No n-gram spans two segments.
- The 15% are of the candidate tokens. Google counts special tokens as well.
"""

import dataclasses

import numpy as np

from albert_keras.data.stateless_random import uniform_at

# Uniform draws below the first become [MASK], below the second a random token.
_MASKED, _RANDOM = 0.8, 0.9


@dataclasses.dataclass(frozen=True)
class MaskedSpans:
    """The selected n-grams of a batch.

    Attributes:
        row: Row of each n-gram `(N,)`.
        drawn: Its drawn length in words, 1 to `max_ngram`.
        kept: Number of words selected: fewer than drawn if the segment ended
            or the row's 15% were reached.
    """

    row: np.ndarray
    drawn: np.ndarray
    kept: np.ndarray


@dataclasses.dataclass(frozen=True)
class NgramMasking:
    """Masks n-grams of whole words in batches.

    Attributes:
        vocabulary_size: Random tokens are drawn from all ids, as in Google's
            release.
        mask_id: Id of `[MASK]`.
        max_predictions: Maximum number P of selected tokens per row.
        masked_lm_prob: Share of the tokens to select.
        max_ngram: Maximum length N of an n-gram in words.
        seed: Non-negative integer.
    """

    vocabulary_size: int
    mask_id: int
    max_predictions: int
    masked_lm_prob: float = 0.15
    max_ngram: int = 3
    seed: int = 0

    def __call__(self, rows, token_ids, is_candidate, begins_word, segment_ids):
        """Masks a batch.

        Args:
            rows: Identity of each row, integers `(R,)`: keys of the random
                draws.
            token_ids: Integers `(R, T)`.
            is_candidate: Booleans `(R, T)`: tokens that may be selected, i.e.
                those of whole words, not special tokens or parts of words
                that were cut.
            begins_word: Booleans `(R, T)`: the token begins a word.
            segment_ids: Integers `(R, T)`.

        Returns:
            The masked ids `(R, T)`; ascending positions `(R, P)` of the
            selected tokens; their original ids `(R, P)`; weights `(R, P)`, 0
            in empty slots (whose position and id are 0); and the
            `MaskedSpans`.
        """
        budgets = self.budgets(is_candidate.sum(axis=1))
        selected, spans = self._select(
            rows, is_candidate, is_candidate & begins_word, segment_ids, budgets
        )
        # A stable sort puts the selected positions first, in their order.
        order = np.argsort(~selected, axis=1, kind="stable")
        positions = order[:, : self.max_predictions]
        weights = np.take_along_axis(selected, positions, axis=1)
        positions = np.where(weights, positions, 0).astype("int32")
        labels = np.take_along_axis(token_ids, positions, axis=1)
        labels = np.where(weights, labels, 0)
        masked_ids = token_ids.copy()
        row, column = np.nonzero(selected)
        masked_ids[row, column] = self._replace(
            rows[row], column, token_ids[row, column]
        )
        return masked_ids, positions, labels, weights.astype("float32"), spans

    def budgets(self, num_tokens):
        """Number of tokens to select in rows of `num_tokens` candidates."""
        wanted = np.rint(self.masked_lm_prob * num_tokens).astype("int64")
        wanted = np.minimum(np.maximum(wanted, 1), num_tokens)
        return np.minimum(wanted, self.max_predictions)

    def _select(self, rows, is_candidate, begins, segment_ids, budgets):
        """Selects n-grams: booleans `(R, T)`, and the `MaskedSpans`."""
        width = is_candidate.shape[1]
        word_at = np.flatnonzero(begins)
        if not word_at.size:
            nothing = np.zeros(0, "int64")
            return np.zeros_like(is_candidate), MaskedSpans(*[nothing] * 3)
        # Number the words of the batch; word w has the candidate tokens
        # token_ends[w] to token_ends[w + 1].
        word_of_token = np.cumsum(begins.ravel()) - 1
        num_tokens = np.bincount(word_of_token[is_candidate.ravel()])
        token_ends = np.concatenate([[0], np.cumsum(num_tokens)])
        row_of_word = word_at // width
        segment_of_word = row_of_word * 2 + segment_ids.ravel()[word_at]

        ngrams = self._partition_into_ngrams(rows, segment_of_word, width)
        order = np.lexsort((ngrams["key"], ngrams["row"]))
        ngrams = {name: values[order] for name, values in ngrams.items()}
        kept = _fit_to_budgets(ngrams, token_ends, budgets)

        taken = kept > 0
        first, count = ngrams["first"][taken], kept[taken]
        # +1 where an n-gram begins, -1 behind it: the running sum marks words.
        edges = np.zeros(len(num_tokens) + 1, "int64")
        np.add.at(edges, first, 1)
        np.add.at(edges, first + count, -1)
        is_selected_word = np.cumsum(edges[:-1]) > 0
        selected = is_selected_word[word_of_token].reshape(is_candidate.shape)
        spans = MaskedSpans(ngrams["row"][taken], ngrams["drawn"][taken], count)
        return is_candidate & selected, spans

    def _partition_into_ngrams(self, rows, segment_of_word, width):
        """Partitions the words of each segment into n-grams.

        Returns:
            For each n-gram its `row`, `first` word, `drawn` length, number of
            `words` (fewer at the end of a segment) and random sort `key`.
        """
        segments, first_word, num_words = np.unique(
            segment_of_word, return_index=True, return_counts=True
        )
        # Segment 0 draws from columns 0 to T - 1 of its row's random numbers,
        # segment 1 from T to 2T - 1.
        row, segment_id = segments // 2, segments % 2
        columns = segment_id[:, None] * width + np.arange(num_words.max())
        drawn = self.draw_lengths(
            uniform_at(self.seed, "ngram", rows[row][:, None], columns)
        )
        begin = np.cumsum(drawn, axis=1) - drawn
        segment, column = np.nonzero(begin < num_words[:, None])
        keys = uniform_at(
            self.seed, "order", rows[row[segment]], columns[segment, column]
        )
        begin, drawn = begin[segment, column], drawn[segment, column]
        return {
            "row": row[segment],
            "first": first_word[segment] + begin,
            "drawn": drawn,
            "words": np.minimum(drawn, num_words[segment] - begin),
            "key": keys,
        }

    def draw_lengths(self, uniforms):
        """Maps uniform numbers to lengths n with p(n) proportional to 1/n."""
        weights = 1.0 / np.arange(1, self.max_ngram + 1)
        bounds = np.cumsum(weights / weights.sum())[:-1]
        return 1 + np.searchsorted(bounds, uniforms, side="right")

    def _replace(self, rows, columns, token_ids):
        """Per token: 80% [MASK], 10% a random token, 10% unchanged."""
        kind = uniform_at(self.seed, "replacement", rows, columns)
        draws = uniform_at(self.seed, "piece", rows, columns)
        random_ids = (draws * self.vocabulary_size).astype(token_ids.dtype)
        return np.where(
            kind < _MASKED,
            token_ids.dtype.type(self.mask_id),
            np.where(kind < _RANDOM, random_ids, token_ids),
        )


def _fit_to_budgets(ngrams, token_ends, budgets):
    """Number of words of each n-gram to select, greedily in the given order.

    Each round selects, in all rows at once, the n-grams that fit one after
    another, shortens the first that does not, and continues behind it with
    the rest of the row's budget.
    """
    row, first, words = ngrams["row"], ngrams["first"], ngrams["words"]
    kept = np.zeros(len(row), "int64")
    left = budgets.copy()
    pending = np.arange(len(row))
    while pending.size:
        r, f, w = row[pending], first[pending], words[pending]
        size = token_ends[f + w] - token_ends[f]
        total = np.cumsum(size)
        row_start = np.searchsorted(r, r)
        total -= (total - size)[row_start]  # running sum within the row
        fits = total <= left[r]  # true for a prefix of each row
        kept[pending[fits]] = w[fits]

        # Of the first that does not fit, take as many words as do.
        place = np.arange(len(r)) - row_start
        num_fitting = np.bincount(r[fits], minlength=len(left))
        blocked = np.flatnonzero(place == num_fitting[r])
        room = left[r[blocked]] - (total - size)[blocked]
        fewer = np.zeros(len(blocked), "int64")
        for count in range(1, int(w.max())):
            end = f[blocked] + np.minimum(count, w[blocked])
            count_fits = token_ends[end] - token_ends[f[blocked]] <= room
            fewer[count_fits & (count < w[blocked])] = count
        kept[pending[blocked]] = fewer

        used = token_ends[f + kept[pending]] - token_ends[f]
        np.subtract.at(left, r, used)
        pending = pending[(place > num_fitting[r]) & (left[r] > 0)]
    return kept
