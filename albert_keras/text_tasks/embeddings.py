"""Embeddings of texts: the mean of an encoder's outputs."""

from typing import Any

import numpy as np

from albert_keras.text_tasks.classification import Classification


class Embeddings(Classification):
    """Embeds texts, or pairs of texts, as vectors of the model's width.

    The vector is the mean of the sequence output over all tokens.
    """

    outputs = ("sequence_output",)

    def add(self, indices: np.ndarray, outputs: dict[str, Any]) -> None:
        means = mean_of_tokens(
            outputs["sequence_output"], self.examples.lengths[indices]
        )
        super().add(indices, {"sequence_output": means})

    def keep(self, outputs: dict[str, Any]) -> np.ndarray:
        return outputs["sequence_output"]

    def predictions(self) -> list[dict[str, Any]]:
        return [{"embedding": row.tolist()} for row in self.rows]


def mean_of_tokens(sequence_output: Any, lengths: np.ndarray) -> np.ndarray:
    """Means over the tokens of a batch, in float32.

    Args:
        sequence_output: `(B, T, H)`, 0 at padding.
        lengths: Number of tokens of each row, `(B,)`.

    Returns:
        `(B, H)`.
    """
    sums = np.asarray(sequence_output, "float32").sum(axis=1)
    return sums / np.asarray(lengths, "float32")[:, None]


def to_length_one(rows: np.ndarray) -> np.ndarray:
    """Divides rows `(..., H)` by their Euclidean lengths; 0 stays 0."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.maximum(lengths, 1e-12)
