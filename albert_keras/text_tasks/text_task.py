"""The base class of what a task makes of a list of texts."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from albert_keras.data.tasks.examples import Examples


class TextTask:
    """Texts as rows of a model, and the predictions of its outputs.

    The caller runs the model on `examples`, in batches of any rows, and calls
    `add` with the outputs of each. A subclass encodes the texts when it is
    created.

    Attributes:
        examples: The rows, `Examples`.
        cut: Indices of the texts that were truncated.
        num_texts: Number of texts.
        limit: Number of tokens that longer texts were truncated to.
    """

    examples: Examples
    cut: Sequence[int] | np.ndarray = ()
    num_texts: int
    limit: int
    # Names of the outputs that `add` reads.
    outputs: ClassVar[tuple[str, ...]] = ("logits",)

    def add(self, indices: np.ndarray, outputs: dict[str, Any]) -> None:
        """Adds the outputs of some rows.

        Args:
            indices: Their indices, integers `(B,)`.
            outputs: The model's outputs, `(B, ...)`.
        """
        raise NotImplementedError

    def predictions(self) -> list:
        """Returns the prediction for each text, once all rows were added."""
        raise NotImplementedError


class RowsOfOutputs(TextTask):
    """A task that keeps something of the outputs of each row."""

    _rows: list

    def add(self, indices: np.ndarray, outputs: dict[str, Any]) -> None:
        kept = self.keep({k: outputs[k] for k in self.outputs})
        for index, row in zip(indices.tolist(), kept, strict=True):
            self.rows[index] = row

    @property
    def rows(self) -> list:
        """The values kept of each row; None until it is added."""
        if not hasattr(self, "_rows"):
            self._rows = [None] * len(self.examples)
        return self._rows

    def keep(self, outputs: dict[str, Any]) -> Any:
        """Selects the values of a batch to keep: an item for each row."""
        return np.asarray(outputs["logits"], "float32")
