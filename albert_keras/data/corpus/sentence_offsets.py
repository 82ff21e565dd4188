"""Stores where sentences start, in little more than two bytes each.

Each block of 64 sentences stores the position of its first sentence in full
and the distances of the others from it. These fit 16 bits because no sentence
has more than 1,000 tokens; longer ones are stored as several.
"""

from typing import Any, Literal

import numpy as np

BLOCK = 64
MAX_SENTENCE = 1000


class SentenceOffsets:
    """Ascending positions that are indexed like a NumPy array.

    Args:
        bases: Positions of sentences 0, 64, 128, ... `(ceil(N / 64),)`.
        steps: Distance of each position from its base, uint16 `(N,)`.
    """

    def __init__(self, bases: np.ndarray, steps: np.ndarray) -> None:
        self.bases = bases
        self.steps = steps

    def __len__(self):
        return len(self.steps)

    def __getitem__(self, index):
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        index = np.asarray(index)
        index = np.where(index < 0, index + len(self), index)
        return self.bases[index // BLOCK] + self.steps[index]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)

    def searchsorted(
        self, positions: Any, side: Literal["left", "right"] = "left"
    ) -> np.ndarray:
        """Works like `numpy.ndarray.searchsorted` for an array of positions."""
        positions = np.asarray(positions)
        is_before = np.less if side == "left" else np.less_equal
        block = np.maximum(self.bases.searchsorted(positions, side) - 1, 0)
        # Binary search in the block for the last one before the position.
        found = block * BLOCK
        step = BLOCK // 2
        while step:
            ahead = np.minimum(found + step, len(self) - 1)
            found = np.where(is_before(self[ahead], positions), ahead, found)
            step //= 2
        return found + is_before(self[found], positions)


class OffsetsWriter:
    """Encodes sentence lengths incrementally as bases and steps."""

    def __init__(self):
        self.num_sentences = self.num_tokens = 0
        self._base = 0

    def add(self, lengths):
        """Returns the bases and steps to write for these lengths."""
        ends = self.num_tokens + np.cumsum(lengths, dtype="int64")
        arrays = self._encode(ends - lengths)
        self.num_sentences += len(lengths)
        self.num_tokens = int(ends[-1]) if len(ends) else self.num_tokens
        return arrays

    def finish(self):
        """Returns the arrays of the final offset: the end of the tokens."""
        return self._encode(np.array([self.num_tokens]))

    def _encode(self, starts):
        sentence = self.num_sentences + np.arange(len(starts))
        bases = starts[sentence % BLOCK == 0]
        known = np.concatenate([[self._base], bases])
        first_block = (self.num_sentences + BLOCK - 1) // BLOCK - 1
        steps = starts - known[sentence // BLOCK - first_block]
        self._base = known[-1]
        return bases.astype("int64"), steps.astype("uint16")


def split_long(lengths):
    """Splits lengths above `MAX_SENTENCE` into several.

    Args:
        lengths: Positive integers `(N,)`.

    Returns:
        The new lengths, and into how many each old length was split.
    """
    parts = -(-lengths // MAX_SENTENCE)
    if (parts <= 1).all():
        return lengths, parts
    last = np.cumsum(parts) - 1
    new = np.full(int(parts.sum()), MAX_SENTENCE, lengths.dtype)
    new[last] = lengths - (parts - 1) * MAX_SENTENCE
    return new, parts
