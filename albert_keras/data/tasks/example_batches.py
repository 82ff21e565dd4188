"""Padded batches of examples for fine-tuning and evaluation."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from albert_keras.data.stateless_random import permute, uniform
from albert_keras.data.tasks.examples import Examples
from albert_keras.kernels import can_fuse

# Number of batches within which `group_by_length` sorts the examples.
_POOL_BATCHES = 50
# A batch's activations fit into a CPU's caches: 4 rows of 384 tokens were 8%
# faster than 8, and 8 of 192 faster than 5 or 11 (`base`, bfloat16). CPU
# kernels are not compiled per shape, so lengths are only rounded to 8.
_ON_CPU = {"max_tokens": 1536, "padding_multiple": 8}


class _Batches(keras.utils.PyDataset):
    """Base class of the batches for training and evaluation."""

    # Tells the training step that shapes differ between batches.
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
            raise ValueError("There are no examples. Pass at least one.")
        self.examples = examples
        self.batch_size = batch_size
        self.rank, self.size = rank, size
        self.padding_multiple = padding_multiple

    def width(self, indices):
        """Length to pad rows to: the longest, rounded up."""
        longest = int(self.examples.lengths[indices].max())
        multiple = self.padding_multiple
        padded = -(-longest // multiple) * multiple
        return min(padded, self.examples.sequence_length)


class TrainingBatches(_Batches):
    """Endless shuffled batches, one per update.

    Batch n is a function of (seed, n, rank, size) alone, and the batches of
    all ranks together equal one rank's batch of `size` times the rows. Each
    pass visits every example once, in a new order; a batch may contain the
    end of one pass and the start of the next.

    Args:
        examples: `Examples`.
        batch_size: Rows B of this rank per update, over all micro-batches.
        seed: Non-negative integer.
        rank, size: Index of this process, and number of processes.
        first_step: Step of `batches[0]`, for a resumed run.
        group_by_length: Whether to batch rows of similar lengths, for less
            padding: the rows of 50 batches at a time are sorted by length.
        padding_multiple: Batches are padded to their longest row, rounded up
            to a multiple of this number, so that there are few shapes.
        **kwargs: Arguments of `keras.utils.PyDataset`.

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
        """Steps per pass over the examples, not rounded."""
        return len(self.examples) / (self.batch_size * self.size)

    def __getitem__(self, index):
        indices = self.indices(self.first_step + index)
        return self.examples.batch(indices, self.width(indices))

    def indices(self, step: int) -> np.ndarray:
        """Indices of this rank's examples in a step, counted from the start."""
        rows = self.batch_size * self.size
        if self.group_by_length:
            update = self._grouped(step, rows)
        else:
            update = self._order(np.arange(step * rows, (step + 1) * rows))
        return update[self.rank :: self.size]

    def _order(self, rows):
        """Index of each row's example; rows are counted from the start."""
        passes, positions = np.divmod(rows, len(self.examples))
        return permute(positions, len(self.examples), self.seed, passes)

    def _grouped(self, step, rows):
        """Examples of an update over all ranks, of similar lengths."""
        number, place = divmod(step, _POOL_BATCHES)
        if self._pool is None or self._pool[0] != number:
            count = _POOL_BATCHES * rows
            examples = self._order(number * count + np.arange(count))
            order = np.argsort(self.examples.lengths[examples], kind="stable")
            batches = examples[order].reshape(_POOL_BATCHES, rows)
            keys = uniform(self.seed, "batches", [number], _POOL_BATCHES)[0]
            self._pool = number, batches[np.argsort(keys)]
        return self._pool[1][place]


class EvaluationBatches(_Batches):
    """Each example once, the longest first, divided among the ranks.

    Args:
        examples, batch_size, rank, size, padding_multiple, **kwargs: See
            `TrainingBatches`.
        max_tokens: Maximum number of tokens of a batch, padding included:
            batches of longer rows have fewer rows, but at least one. None
            sets no limit.

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
        """Number of rows of a batch that is padded to `width`."""
        if self.max_tokens is None:
            return self.batch_size
        return min(self.batch_size, max(1, self.max_tokens // width))

    @property
    def num_batches(self) -> int:
        return len(self._starts) - 1

    def indices(self, index: int) -> np.ndarray:
        """Indices of the examples of a batch."""
        return self.order[self._starts[index] : self._starts[index + 1]]

    def __getitem__(self, index):
        indices = self.indices(index)
        return self.examples.batch(indices, self.width(indices))

    def predict(
        self, model: Any, progress: Callable[[int], None] | None = None
    ) -> Iterator[tuple]:
        """Yields the model's predictions, batch by batch.

        Args:
            model: A Keras model.
            progress: Called with the number of rows of each finished batch.

        Yields:
            (indices, inputs, outputs) of a batch, as NumPy arrays.
        """
        for number in range(self.num_batches):
            indices = self.indices(number)
            inputs = self.examples.batch(indices, self.width(indices))[0]
            yield indices, inputs, model.predict_on_batch(inputs)
            if progress is not None:
                progress(len(indices))


def evaluation_batches(
    examples: Examples,
    batch_size: int,
    padding_multiple: int | None = None,
    rank: int = 0,
    size: int = 1,
) -> EvaluationBatches:
    """Makes `EvaluationBatches` of the sizes that are fast on the device.

    Args:
        examples, batch_size, rank, size: See `EvaluationBatches`.
        padding_multiple: See `EvaluationBatches`; None chooses by device.
    """
    kwargs: dict[str, Any] = dict(_ON_CPU) if can_fuse() else {}
    if padding_multiple is not None:
        kwargs["padding_multiple"] = padding_multiple
    return EvaluationBatches(
        examples, batch_size, rank=rank, size=size, **kwargs
    )
