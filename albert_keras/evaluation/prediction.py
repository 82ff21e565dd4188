"""What a model says of each example, on every rank."""

from collections.abc import Callable
from typing import Any

import numpy as np

from albert_keras.data.tasks.example_batches import EvaluationBatches, Examples
from albert_keras.kernels import can_fuse
from albert_keras.training import distributed

# A batch's activations stay in a CPU's caches: 4 rows of 384 pieces were 8%
# faster than 8, and 8 of 192 faster than 5 or 11 (`base`, bfloat16). Its
# kernels are not compiled for a shape, so lengths need hardly be rounded.
_ON_CPU = {"max_tokens": 1536, "padding_multiple": 8}


def batches_of_this_rank(
    examples: Examples, batch_size: int, padding_multiple: int | None = None
) -> EvaluationBatches:
    """The `EvaluationBatches` of this rank's share, for all its devices.

    Args:
        examples, batch_size: See there; the rows are those of each device.
        padding_multiple: See there; None for what suits the device.
    """
    kwargs = dict(_ON_CPU) if can_fuse() else {}
    if padding_multiple is not None:
        kwargs["padding_multiple"] = padding_multiple
    return EvaluationBatches(
        examples,
        batch_size * distributed.devices(),
        rank=distributed.rank(),
        size=distributed.size(),
        **kwargs,
    )


def predict_rows(
    model: Any,
    examples: Examples,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
    pick: Callable[[np.ndarray], np.ndarray] = lambda logits: logits,
) -> list[np.ndarray]:
    """Predicts for each example, the ranks sharing the work.

    Args:
        model: A model whose output is `logits`.
        examples: `Examples`.
        batch_size: Rows at a time on each device.
        progress: Called with the number of rows done on this rank.
        pick: What to keep of a batch's float32 logits `(B, ...)`.

    Returns:
        A list of N arrays, on every rank.
    """
    batches = batches_of_this_rank(examples, batch_size)
    own = {}
    for indices, _, outputs in batches.predict(model, progress):
        logits = np.asarray(outputs["logits"], "float32")
        own.update(zip(indices.tolist(), pick(logits), strict=True))
    rows = {}
    for share in distributed.gather_objects(own):
        rows.update(share)
    return [rows[index] for index in range(len(examples))]
