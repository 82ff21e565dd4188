"""Where sentences begin, in little more than two bytes each.

Of each block of 64 sentences the first one's position is kept in full, of the
others how far behind it they begin, which fits 16 bits as long as no sentence
has more than 1,000 tokens; longer ones are stored as several.
"""

from typing import Any, Literal

import numpy as np

BLOCK = 64
MAX_SENTENCE = 1000


class SentenceOffsets:
    """An array of ascending positions, read like one of NumPy.

    Args:
        bases: Positions of sentences 0, 64, 128 ... `(ceil(N / 64),)`.
        steps: How far behind its base each is, uint16 `(N,)`.
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
        """As `numpy.ndarray.searchsorted`, for an array of positions."""
        positions = np.asarray(positions)
        is_before = np.less if side == "left" else np.less_equal
        block = np.maximum(self.bases.searchsorted(positions, side) - 1, 0)
        # The last one before the position, by halving the block.
        found = block * BLOCK
        step = BLOCK // 2
        while step:
            ahead = np.minimum(found + step, len(self) - 1)
            found = np.where(is_before(self[ahead], positions), ahead, found)
            step //= 2
        return found + is_before(self[found], positions)


class OffsetsWriter:
    """Turns lengths of sentences into bases and steps, piece by piece."""

    def __init__(self):
        self.num_sentences = self.num_tokens = 0
        self._base = 0

    def add(self, lengths):
        """The arrays to write for sentences of these lengths."""
        ends = self.num_tokens + np.cumsum(lengths, dtype="int64")
        arrays = self._encode(ends - lengths)
        self.num_sentences += len(lengths)
        self.num_tokens = int(ends[-1]) if len(ends) else self.num_tokens
        return arrays

    def finish(self):
        """The arrays of the last offset, the end of all."""
        return self._encode(np.array([self.num_tokens]))

    def _encode(self, starts):
        number = self.num_sentences + np.arange(len(starts))
        bases = starts[number % BLOCK == 0]
        known = np.concatenate([[self._base], bases])
        first_block = (self.num_sentences + BLOCK - 1) // BLOCK - 1
        steps = starts - known[number // BLOCK - first_block]
        self._base = known[-1]
        return bases.astype("int64"), steps.astype("uint16")


def split_long(lengths):
    """Lengths with none above `MAX_SENTENCE`: longer ones become several.

    Args:
        lengths: Integers `(N,)`, above 0.

    Returns:
        The new lengths, and how many each old one became.
    """
    parts = -(-lengths // MAX_SENTENCE)
    if (parts <= 1).all():
        return lengths, parts
    last = np.cumsum(parts) - 1
    new = np.full(int(parts.sum()), MAX_SENTENCE, lengths.dtype)
    new[last] = lengths - (parts - 1) * MAX_SENTENCE
    return new, parts
