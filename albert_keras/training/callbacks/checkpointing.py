"""Saves checkpoints during training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from albert_keras.training import distributed
from albert_keras.training.runs.checkpoint import save_checkpoint


class Checkpointing(keras.callbacks.Callback):
    """Saves a checkpoint every `frequency` updates and at the end.

    Only the first rank writes, since all ranks have the same state.

    Args:
        directory: Directory of the checkpoints.
        frequency: Updates between two checkpoints.
        first_step: Updates done before this `fit`.
        export: See `save_checkpoint`.
        keep: Number of newest checkpoints to keep; None keeps all.
        settings, data: See `save_checkpoint`.
    """

    def __init__(
        self,
        directory: str | Path,
        frequency: int,
        first_step: int = 0,
        export: Callable[[Path], None] | None = None,
        keep: int | None = None,
        settings: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.directory = directory
        self.frequency = frequency
        self.step = self.saved_step = first_step
        self.arguments: dict[str, Any] = dict(
            export=export, keep=keep, settings=settings, data=data
        )

    def needs_update(self):
        """See `OverlappingCallbacks`."""
        return (self.step + 1) % self.frequency == 0

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.frequency == 0:
            self.save()

    def on_train_end(self, logs=None):
        if self.step != self.saved_step:
            self.save()

    def save(self) -> None:
        self.saved_step = self.step
        if distributed.rank() == 0:
            save_checkpoint(
                self.directory, self.model, self.step, **self.arguments
            )
