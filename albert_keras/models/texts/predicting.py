"""Predicts for texts in batches of similar lengths, with progress bars."""

import logging

import keras
import numpy as np

from albert_keras.data.tasks.example_batches import evaluation_batches
from albert_keras.kernels import can_fuse
from albert_keras.progress_bars import successive_bars

# A bar appears for work that takes longer than this.
_SECONDS_WITHOUT_BAR = 3
# Arrays of more batches would take more memory than needed.
_BATCHES_AT_ONCE = 256
_logger = logging.getLogger(__name__)


def predictions(model, examples, batch_size, in_order=False):
    """Yields (indices, outputs) of each batch, the longest rows first.

    Args:
        model: A Keras model.
        examples: `Examples`.
        batch_size: Maximum number of rows in a batch.
        in_order: Whether to batch and pad the rows as `model.predict` does,
            if that takes no longer: for a single batch, and where kernels
            leave out padding. A matrix product may round a row differently
            next to other rows, so that only then the bits are the same.
    """
    with progress_bars() as progress:
        advance = progress("predicting", len(examples))
        if in_order and (can_fuse() or len(examples) <= batch_size):
            yield from _predict_in_order(model, examples, batch_size, advance)
            return
        batches = evaluation_batches(examples, batch_size)
        for indices, _, outputs in batches.predict(model, advance):
            yield indices, outputs


def _predict_in_order(model, examples, batch_size, advance):
    """Calls `model.predict`, which prepares batches ahead, on many at once."""
    longest = int(examples.lengths.max())
    step = batch_size * _BATCHES_AT_ONCE
    for start in range(0, len(examples), step):
        indices = np.arange(start, min(start + step, len(examples)))
        inputs, _ = examples.batch(indices, longest)
        bar = _Advance(advance, len(indices), batch_size)
        outputs = model.predict(
            inputs, batch_size=batch_size, verbose=0, callbacks=[bar]
        )
        yield indices, outputs


class _Advance(keras.callbacks.Callback):
    """Advances a progress bar by the rows of each batch of `predict`."""

    def __init__(self, advance, rows, batch_size):
        super().__init__()
        self.advance = advance
        self.rows, self.batch_size = rows, batch_size

    def on_predict_batch_end(self, batch, logs=None):
        done = batch * self.batch_size
        self.advance(min(self.batch_size, self.rows - done))


def predict(model, make, batch_size, in_order=False):
    """Predicts for texts; arguments as for `run_texts`."""
    return run_texts(model, make, batch_size, in_order).predictions()


def run_texts(model, make, batch_size, in_order=False):
    """Runs a model on texts, in this process, with progress bars.

    Other processes would import the caller's script again.

    Args:
        model, batch_size, in_order: As for `predictions`.
        make: Makes the `TextTask`, with arguments of `encode_texts`.

    Returns:
        The task, with the outputs of all rows.
    """
    with progress_bars() as progress:
        task = make(workers=1, progress=progress)
    warn_of_cut(task.cut, task.num_texts, task.limit)
    return run_task(model, task, batch_size, in_order)


def run_task(model, task, batch_size, in_order=False):
    """Runs a model on a `TextTask`; arguments as for `predictions`."""
    for indices, outputs in predictions(
        model, task.examples, batch_size, in_order
    ):
        task.add(indices, outputs)
    return task


def warn_of_cut(rows, total, limit):
    """Logs that texts were truncated, if any were.

    Args:
        rows: Indices of the truncated rows.
        total: Number of all rows.
        limit: Maximum number of tokens in a row.
    """
    if len(rows):
        _logger.warning(
            "%s of %s texts are longer than %s tokens and were truncated, "
            "the first in row %s, counted from 0.",
            f"{len(rows):,}",
            f"{total:,}",
            limit,
            rows[0],
        )


def progress_bars():
    """Returns a context of `successive_bars` of rows."""
    return successive_bars(
        unit=" rows", delay=_SECONDS_WITHOUT_BAR, leave=False
    )
