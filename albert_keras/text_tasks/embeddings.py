"""Embeddings of texts: the mean of an encoder's outputs."""

from typing import Any

import numpy as np

from albert_keras.text_tasks.classification import Classification


class Embeddings(Classification):
    """Embeds texts, or pairs of texts, as vectors of the model's width.

    The vector is the mean of the sequence output over all tokens.
    """

    outputs = ("sequence_output",)

    def keep(self, outputs: dict[str, Any]) -> np.ndarray:
        # Zero at padding; the number of tokens divides it later.
        return np.asarray(outputs["sequence_output"], "float32").sum(axis=1)

    def predictions(self) -> list[dict[str, Any]]:
        means = np.stack(self.rows) / self.examples.lengths[:, None]
        return [{"embedding": row} for row in means.tolist()]
