"""Predicts for a set of examples, with the ranks sharing the work."""

from collections.abc import Callable
from typing import Any

import numpy as np

from albert_keras.data.tasks.example_batches import (
    EvaluationBatches,
    Examples,
    evaluation_batches,
)
from albert_keras.training import distributed


def batches_of_this_rank(
    examples: Examples, batch_size: int, padding_multiple: int | None = None
) -> EvaluationBatches:
    """Makes the `EvaluationBatches` of this rank's share of the examples.

    Args:
        examples: See `EvaluationBatches`.
        batch_size: Rows per batch on each device of this rank.
        padding_multiple: See `EvaluationBatches`; None chooses by device.
    """
    return evaluation_batches(
        examples,
        batch_size * distributed.devices(),
        padding_multiple,
        rank=distributed.rank(),
        size=distributed.size(),
    )


def predict_rows(
    model: Any,
    examples: Examples,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
    pick: Callable[[np.ndarray], np.ndarray] = lambda logits: logits,
    output: str = "logits",
) -> list[np.ndarray]:
    """Predicts the logits of each example.

    Args:
        model: A model with the output.
        examples: `Examples`.
        batch_size: Rows per batch on each device.
        progress: Called with the number of rows done on this rank.
        pick: Reduces a batch's float32 logits `(B, ...)` to what is kept.
        output: Key of the output to take as the logits.

    Returns:
        A list of N arrays, on every rank.
    """
    batches = batches_of_this_rank(examples, batch_size)
    own = {}
    for indices, _, outputs in batches.predict(model, progress):
        logits = np.asarray(outputs[output], "float32")
        own.update(zip(indices.tolist(), pick(logits), strict=True))
    rows = {}
    for share in distributed.gather_objects(own):
        rows.update(share)
    return [rows[index] for index in range(len(examples))]
