"""Pretraining batches, drawn from a token store."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from albert_keras.data.corpus.token_store import TokenStore
from albert_keras.data.pretraining.ngram_masking import NgramMasking
from albert_keras.data.pretraining.sentence_order import (
    cut_into_sequences,
    draw_segment_pairs,
)
from albert_keras.data.stateless_random import permute
from albert_keras.tokenization.word_boundaries import word_begin_mask


class PretrainingDataset(keras.utils.PyDataset):
    """Endless batches of ALBERT's two objectives, one batch per update.

    Rows are segment pairs for sentence-order prediction (`sentence_order`),
    with n-grams masked for masked language modeling (`NgramMasking`).

    Batch n is a function of (seed, n, rank, size) alone: steps can be
    accessed in any order, a resumed run continues with the batches it would
    have had, and the batches of all ranks together equal one rank's batch of
    `size` times the rows. Each pass over the text visits every token once, in
    a new order; segment splits and masks are drawn again each time.

    Args:
        store: A `TokenStore` or its path.
        sequence_length: Length T of the inputs.
        batch_size: Rows B of this rank per update, over all micro-batches.
        split: "train", "validation" or "all".
        max_predictions: Maximum number P of masked tokens per row. None fits
            all that `masked_lm_prob` selects. (Google's default of 20 masks
            3.9% of 512 tokens.)
        masked_lm_prob: Share of the tokens to predict.
        max_ngram: Maximum length of a masked n-gram, in words.
        short_sequence_prob: Probability of a shorter sequence.
        min_batch_size: If the text has too few sequences for `batch_size`,
            use the largest multiple of this that fits. None raises an error.
        seed: Non-negative integer.
        rank, size: Index of this process, and number of processes.
        first_step: Step of `dataset[0]`, for a resumed run.
        num_steps: Number of batches. None is endless: pass `steps_per_epoch`
            to `fit`. With a number, pass `shuffle=False` to `fit`, since
            Keras shuffles the steps by default.
        **kwargs: Arguments of `keras.utils.PyDataset`, such as `workers`.

    Each batch is `(inputs, labels, weights)`: inputs `token_ids`,
    `segment_ids`, `padding_mask` `(B, T)` and `mask_positions` `(B, P)`,
    labels `mlm` `(B, P)` and `sop` `(B,)`, all int32, weights `mlm`
    `(B, P)` float32.

    Raises:
        ValueError: If a setting is out of range, or the text has fewer
            sequences than one update has rows.
    """

    def __init__(
        self,
        store: TokenStore | str | Path,
        sequence_length: int,
        batch_size: int,
        split: str = "train",
        max_predictions: int | None = None,
        masked_lm_prob: float = 0.15,
        max_ngram: int = 3,
        short_sequence_prob: float = 0.1,
        seed: int = 0,
        rank: int = 0,
        size: int = 1,
        first_step: int = 0,
        num_steps: int | None = None,
        min_batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(store, TokenStore):
            store = TokenStore(store)
        if sequence_length < 8:
            raise ValueError(
                "`sequence_length` must be at least 8. "
                f"Received: {sequence_length}."
            )
        if not 0 < masked_lm_prob < 1 or not 0 <= short_sequence_prob <= 1:
            raise ValueError(
                "`masked_lm_prob` and `short_sequence_prob` must be "
                f"probabilities. Received: {masked_lm_prob}, "
                f"{short_sequence_prob}."
            )
        if not 0 <= rank < size:
            raise ValueError(
                "`rank` must be at least 0 and below `size`. "
                f"Received: rank={rank}, size={size}."
            )
        self.store = store
        self.sequence_length = sequence_length
        self.seed = seed
        self.rank, self.size = rank, size
        self.first_step, self.num_steps = first_step, num_steps
        if max_predictions is None:
            max_predictions = int(np.ceil(masked_lm_prob * sequence_length))
        self.masking = NgramMasking(
            vocabulary_size=store.vocabulary_size,
            mask_id=store.tokenizer.mask_id,
            max_predictions=max_predictions,
            masked_lm_prob=masked_lm_prob,
            max_ngram=max_ngram,
            seed=seed,
        )
        self._word_begin_mask = word_begin_mask(store.tokenizer)
        self.sequences = cut_into_sequences(
            store.sentence_offsets,
            store.document_offsets,
            store.documents(split),
            sequence_length,
            short_sequence_prob,
            seed,
        )
        if min_batch_size is not None:
            fitting = len(self.sequences) // size
            fitting -= fitting % min_batch_size
            batch_size = max(min(batch_size, fitting), min_batch_size)
        self.batch_size = batch_size
        if len(self.sequences) < batch_size * size:
            raise ValueError(
                f"The {split} text of {store.directory} is too small for one "
                f"batch: {len(self.sequences)} sequences of "
                f"{sequence_length} tokens for {batch_size * size} rows. "
                "Use more text, a smaller batch or shorter sequences."
            )

    @property
    def num_batches(self) -> int | None:
        return self.num_steps

    @property
    def steps_per_pass(self) -> float:
        """Steps per pass over the sequences, not rounded."""
        return len(self.sequences) / (self.batch_size * self.size)

    def describe_data(self) -> dict[str, dict[str, Any]]:
        """Describes the corpus, for `check_same_data`."""
        return {"corpus": self.store.describe_data()}

    def __getitem__(self, index):
        return self.batch(self.first_step + index)

    def batch(self, step: int) -> tuple[dict[str, np.ndarray], ...]:
        """The batch of a step, counted from the start of training."""
        first_row = (step * self.size + self.rank) * self.batch_size
        return self.rows(np.arange(first_row, first_row + self.batch_size))

    def rows(self, rows):
        """The batch of the given rows, counted from the start of training."""
        pairs = self.segment_pairs(rows)
        token_ids, segment_ids, padding_mask, is_candidate = self._pack(pairs)
        masked_ids, positions, labels, weights, _ = self.masking(
            rows,
            token_ids,
            is_candidate,
            self._word_begin_mask[token_ids],
            segment_ids,
        )
        inputs = {
            "token_ids": masked_ids,
            "segment_ids": segment_ids,
            "padding_mask": padding_mask,
            "mask_positions": positions,
        }
        return inputs, {"mlm": labels, "sop": pairs.labels}, {"mlm": weights}

    def sequence_indices(self, rows):
        """Index of each row's sequence; each occurs once per pass."""
        passes, positions = np.divmod(rows, len(self.sequences))
        return permute(positions, len(self.sequences), self.seed, passes)

    def segment_pairs(self, rows):
        """Token ranges in the store of each row's segments."""
        chosen = self.sequence_indices(rows)
        return draw_segment_pairs(
            rows,
            self.sequences.start[chosen],
            self.sequences.length[chosen].astype("int64"),
            self.store.sentence_offsets,
            self._begins_word,
            self.seed,
        )

    def _pack(self, pairs):
        """Packs [CLS] first [SEP] second [SEP] and padding.

        Returns:
            `token_ids`, `segment_ids`, `padding_mask`, and which tokens may
            be masked, `(R, T)`.
        """
        tokenizer = self.store.tokenizer
        column = np.arange(self.sequence_length)[None, :]
        middle = 1 + pairs.first_length[:, None]  # of the first [SEP]
        last = middle + 1 + pairs.second_length[:, None]
        in_first = (column > 0) & (column < middle)
        in_second = (column > middle) & (column < last)
        source = np.where(
            in_first,
            pairs.first_start[:, None] + column - 1,
            pairs.second_start[:, None] + column - middle - 1,
        )
        is_text = in_first | in_second
        token_ids = np.full(is_text.shape, tokenizer.pad_id, "int32")
        token_ids[is_text] = self.store.tokens[source[is_text]]
        token_ids[:, 0] = tokenizer.cls_id
        token_ids[(column == middle) | (column == last)] = tokenizer.sep_id

        is_candidate = is_text.copy()
        for start, length, offset in (
            (pairs.first_start, pairs.first_length, 1),
            (pairs.second_start, pairs.second_length, middle[:, 0] + 1),
        ):
            self._exclude_cut_words(is_candidate, start, length, offset)
        return (
            token_ids,
            ((column > middle) & (column <= last)).astype("int32"),
            (column <= last).astype("int32"),
            is_candidate,
        )

    def _exclude_cut_words(self, is_candidate, start, length, offset):
        """Sets False at words that begin or continue outside the segment.

        Args:
            is_candidate: Booleans `(R, T)`, changed in place.
            start, length: Token range of each row's segment, `(R,)`.
            offset: Column at which the segment begins.
        """
        rows = np.arange(len(start))
        offset = np.broadcast_to(offset, start.shape)
        front = np.zeros_like(start)
        active = rows
        # Tokens at the front, up to the first that begins a word.
        while active.size:
            active = active[front[active] < length[active]]
            active = active[~self._begins_word((start + front)[active])]
            is_candidate[active, (offset + front)[active]] = False
            front[active] += 1
        # The last word, if the token behind the segment continues it.
        back = length - 1
        end = start + length
        active = rows[end < len(self.store.tokens)]
        active = active[~self._begins_word(end[active])]
        while active.size:
            active = active[back[active] >= front[active]]
            is_candidate[active, (offset + back)[active]] = False
            active = active[~self._begins_word((start + back)[active])]
            back[active] -= 1

    def _begins_word(self, positions):
        return self._word_begin_mask[self.store.tokens[positions]]
