"""Batches of examples of different lengths, for training and evaluation."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from albert_keras.data.stateless_random import permute, uniform

# Batches at a time among which examples are put together by length.
_POOL = 50


class Examples:
    """What the batches below are drawn from: rows of different lengths.

    Subclasses set `lengths`, int `(N,)`: pieces of each row with its special
    pieces; and `sequence_length`, which none is above.
    """

    lengths: np.ndarray
    sequence_length: int

    def __len__(self):
        return len(self.lengths)

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        """Rows as arrays.

        Args:
            indices: Integers `(B,)`.
            width: Length T to pad to.

        Returns:
            `(inputs, labels)` or `(inputs, labels, weights)`, as `fit` takes
            them. Arrays have the rows first and, where they are padded, the
            length last.
        """
        raise NotImplementedError


class _Batches(keras.utils.PyDataset):
    """What training and evaluation share."""

    # Tells the trainer that shapes differ from batch to batch.
    varies_in_length = True

    def __init__(
        self, examples, batch_size, rank, size, padding_multiple, **kwargs
    ):
        super().__init__(**kwargs)
        if batch_size < 1 or not 0 <= rank < size:
            raise ValueError(
                "`batch_size` must be at least 1, and `rank` at least 0 and "
                f"below `size`. Received: batch_size={batch_size}, "
                f"rank={rank}, size={size}."
            )
        if not len(examples):
            raise ValueError("There are no examples to make batches of.")
        self.examples = examples
        self.batch_size = batch_size
        self.rank, self.size = rank, size
        self.padding_multiple = padding_multiple

    def width(self, indices):
        """Length to pad rows to: that of the longest, rounded up."""
        longest = int(self.examples.lengths[indices].max())
        multiple = self.padding_multiple
        padded = -(-longest // multiple) * multiple
        return min(padded, self.examples.sequence_length)


class TrainingBatches(_Batches):
    """Batches for each update, without end.

    Batch n depends on (seed, n, rank, size) and nothing else, and the ranks'
    batches of a step together are one rank's batch of `size` times the rows.
    Each pass has an order of its own, in which every example comes once; a
    batch may hold the end of one pass and the start of the next.

    Args:
        examples: `Examples`.
        batch_size: Rows of this rank in a step, all micro-batches together.
        seed: Non-negative integer.
        rank, size: This process and the number of processes.
        first_step: Step of `batches[0]`, for a resumed run.
        group_by_length: Whether to put rows of like lengths into a batch, of
            those that 50 batches hold, so that less is padded.
        padding_multiple: Batches are padded to the length of their longest
            row, rounded up to a multiple of this: few different shapes.
        **kwargs: Of `keras.utils.PyDataset`.

    Raises:
        ValueError: If there are no examples, or a number is out of range.
    """

    num_batches = None

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        size: int = 1,
        first_step: int = 0,
        group_by_length: bool = False,
        padding_multiple: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            examples, batch_size, rank, size, padding_multiple, **kwargs
        )
        self.seed = seed
        self.first_step = first_step
        self.group_by_length = group_by_length
        self._pool: tuple[int, np.ndarray] | None = None

    @property
    def steps_per_pass(self) -> float:
        """Steps in which each example comes once, a fraction."""
        return len(self.examples) / (self.batch_size * self.size)

    def __getitem__(self, index):
        indices = self.indices(self.first_step + index)
        return self.examples.batch(indices, self.width(indices))

    def indices(self, step: int) -> np.ndarray:
        """The examples of this rank in a step, counted from the start."""
        rows = self.batch_size * self.size
        if self.group_by_length:
            update = self._grouped(step, rows)
        else:
            update = self._order(np.arange(step * rows, (step + 1) * rows))
        return update[self.rank :: self.size]

    def _order(self, rows):
        """Which example each row is, rows counted from the start."""
        passes, positions = np.divmod(rows, len(self.examples))
        return permute(positions, len(self.examples), self.seed, passes)

    def _grouped(self, step, rows):
        """The update's rows in a pool of batches sorted by length."""
        number, place = divmod(step, _POOL)
        if self._pool is None or self._pool[0] != number:
            first = number * _POOL * rows
            examples = self._order(np.arange(first, first + _POOL * rows))
            order = np.argsort(self.examples.lengths[examples], kind="stable")
            batches = examples[order].reshape(_POOL, rows)
            shuffled = uniform(self.seed, "batches", [number], _POOL)[0]
            self._pool = number, batches[np.argsort(shuffled)]
        return self._pool[1][place]


class EvaluationBatches(_Batches):
    """Each example once, the longest first, shared out among the ranks.

    Args:
        examples, batch_size, rank, size, padding_multiple, **kwargs: As for
            `TrainingBatches`.
        max_tokens: Batches of longer rows have fewer of them, so that these
            are at most so many pieces with padding, where one row is not
            longer already. None sets no limit.

    Raises:
        ValueError: If there are no examples, or a number is out of range.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        rank: int = 0,
        size: int = 1,
        padding_multiple: int = 32,
        max_tokens: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            examples, batch_size, rank, size, padding_multiple, **kwargs
        )
        self.max_tokens = max_tokens
        longest_first = np.argsort(-examples.lengths, kind="stable")
        self.order = longest_first[rank::size]
        self._starts = [0]
        while self._starts[-1] < len(self.order):
            first = self._starts[-1]
            rows = self._rows(self.width(self.order[first : first + 1]))
            self._starts.append(min(first + rows, len(self.order)))

    def _rows(self, width):
        """Rows of a batch whose longest is padded to a width."""
        if self.max_tokens is None:
            return self.batch_size
        return min(self.batch_size, max(1, self.max_tokens // width))

    @property
    def num_batches(self) -> int:
        return len(self._starts) - 1

    def indices(self, index: int) -> np.ndarray:
        """The examples of a batch."""
        return self.order[self._starts[index] : self._starts[index + 1]]

    def __getitem__(self, index):
        indices = self.indices(index)
        return self.examples.batch(indices, self.width(indices))

    def predict(
        self, model: Any, progress: Callable[[int], None] | None = None
    ) -> Iterator[tuple]:
        """Yields the model's outputs, batch by batch.

        Args:
            model: A Keras model.
            progress: Called with the number of rows done.

        Yields:
            (indices, inputs, outputs) of a batch, as NumPy arrays.
        """
        for number in range(self.num_batches):
            indices = self.indices(number)
            inputs = self.examples.batch(indices, self.width(indices))[0]
            yield indices, inputs, model.predict_on_batch(inputs)
            if progress is not None:
                progress(len(indices))
