"""The base class of a task's encoded examples."""

import numpy as np


class Examples:
    """Base class of a task's encoded examples: rows of different lengths.

    Subclasses set `lengths`, integers `(N,)`: the number of tokens of each
    row, special tokens included; and `sequence_length`, their maximum.
    """

    lengths: np.ndarray
    sequence_length: int

    def __len__(self):
        return len(self.lengths)

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        """Rows as padded arrays.

        Args:
            indices: Integers `(B,)`.
            width: Length T to pad to.

        Returns:
            `(inputs, labels)` or `(inputs, labels, weights)` for `fit`. The
            first axis of all arrays is B, the last of padded ones is T.
        """
        raise NotImplementedError
