"""Logs metrics to a CSV file and to TensorBoard."""

import csv
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from albert_keras.files.atomic_write import append_text, atomic_file
from albert_keras.files.storage_errors import storage_errors_explained
from albert_keras.training import distributed

METRICS_FILE = "metrics.csv"
TENSORBOARD = "tensorboard"


class TrainingLog(keras.callbacks.Callback):
    """Logs averaged metrics every `frequency` updates and runs validations.

    A row holds the metrics averaged since the previous row, the latest
    learning rate and norms, the throughput without validation and start-up,
    and the metrics, with their prefix, of the validations that were due. The
    model's metrics are reset after each row. A resumed run drops the rows
    after its first step and appends its own.

    On several ranks only the first one writes; metrics and validations cover
    all ranks, and a column holds the share of the time spent in the
    all-reduce. With loss scaling a column counts the skipped updates so far.

    Args:
        directory: Directory of `metrics.csv` and `tensorboard/`.
        frequency: Updates between two rows.
        tokens_per_update: Tokens of a global batch, including padding.
        global_batch_size: Rows of a global batch.
        validations: A sequence of `Validation`s.
        first_step: Updates done before this `fit`.
        on_row: Called with the step and the metrics of each row written.
        tensorboard: Directory of TensorBoard's files; None is `tensorboard/`
            in `directory`.
    """

    def __init__(
        self,
        directory: str | Path,
        frequency: int,
        tokens_per_update: int,
        global_batch_size: int,
        validations: Sequence[Any] = (),
        first_step: int = 0,
        on_row: Callable[[int, dict[str, float]], None] | None = None,
        tensorboard: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.path = Path(directory) / METRICS_FILE
        self.tensorboard = Path(tensorboard or Path(directory) / TENSORBOARD)
        self.frequency = frequency
        self.tokens_per_update = tokens_per_update
        self.global_batch_size = global_batch_size
        self.validations = validations
        self.step = self.first_step = first_step
        self.on_row = on_row
        self.written_step: int | None = None
        self.seconds, self.timed_updates = 0.0, 0

    def on_train_begin(self, logs=None):
        self._scales_loss = isinstance(
            self.model.optimizer, keras.optimizers.LossScaleOptimizer
        )
        self._columns: list[str] = []
        self._writer: Any = None
        if distributed.rank() == 0:
            self._start_csv()
            # TensorFlow's own writer would reserve GPU memory under JAX.
            from tensorboard.summary import Writer

            with storage_errors_explained(self.tensorboard):
                self._writer = Writer(str(self.tensorboard))
        if not self.first_step:
            first = [v for v in self.validations if v.first]
            if first:
                self._write(self._run_validations(first))
        self._clock = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self._clock is not None:  # the first update compiles
            self.seconds += now - self._clock
            self.timed_updates += 1
        self.step += 1
        validations = self._due_at(self.step)
        if validations or self.step % self.frequency == 0:
            self._log(validations)
        self._clock = time.perf_counter()

    def needs_update(self):
        """See `OverlappingCallbacks`. Times are taken at finished updates."""
        step = self.step + 1
        return (
            self._clock is None
            or step % self.frequency == 0
            or bool(self._due_at(step))
        )

    def _due_at(self, step):
        return [v for v in self.validations if v.is_due(step)]

    def on_train_end(self, logs=None):
        # A run that was told to stop has no time for a validation.
        validations = [
            validation
            for validation in self.validations
            if validation.is_due(self.step, at_end=True)
            and not self.model.stop_training
        ]
        if self.written_step != self.step:
            self._log(validations)
        elif validations:
            self._write(self._run_validations(validations))
        if self._writer is not None:
            with storage_errors_explained(self.tensorboard):
                self._writer.close()

    def _log(self, validations):
        values = _floats(self.model.get_metrics_result())
        if self.timed_updates:
            values.update(self._throughput(self.timed_updates / self.seconds))
            if "communication_seconds" in values:
                values["communication_share"] = (
                    values["communication_seconds"]
                    * values["updates_per_second"]
                )
            self.seconds, self.timed_updates = 0.0, 0
        if self._scales_loss:
            applied = int(self.model.optimizer.iterations)
            values["skipped_updates"] = self.step - applied
        values.update(self._run_validations(validations))
        self.model.reset_metrics()
        self._write(values)

    def _throughput(self, updates_per_second):
        tokens = updates_per_second * self.tokens_per_update
        sequences = updates_per_second * self.global_batch_size
        return {
            "updates_per_second": updates_per_second,
            "sequences_per_second": sequences,
            "tokens_per_second": tokens,
            "tokens_per_second_per_rank": tokens / distributed.replicas(),
        }

    def _run_validations(self, validations):
        values = {}
        for validation in validations:
            values.update(validation.run(self.step))
        return values

    def _write(self, values):
        self.written_step = self.step
        if self._writer is None:
            return
        with storage_errors_explained(self.tensorboard):
            for name, value in values.items():
                self._writer.add_scalar(name, value, self.step)
            self._writer.flush()
        row = io.StringIO(newline="")
        csv.DictWriter(row, self._columns, restval="").writerow(
            {"step": self.step, **values}
        )
        append_text(self.path, row.getvalue())
        if self.on_row is not None:
            self.on_row(self.step, values)

    def _start_csv(self):
        metrics = self.model.update_metrics
        self._columns = [
            "step",
            *metrics.results(),
            *self._throughput(0.0),
            *(["communication_share"] if distributed.size() > 1 else []),
            *(["skipped_updates"] if self._scales_loss else []),
            *(
                f"{validation.prefix}{name}"
                for validation in self.validations
                for name in validation.metrics or metrics.objective_results()
            ),
        ]
        rows = []
        if self.first_step and self.path.is_file():
            rows = [
                row
                for row in read_metrics(self.path)
                if row["step"] <= self.first_step
            ]
        with atomic_file(self.path, newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, restval="")
            writer.writeheader()
            writer.writerows(rows)


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """Reads the rows of a `metrics.csv`, one per step, without empty cells.

    Raises:
        ValueError: If the file is damaged; names the file.
    """
    rows = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file, strict=True):
                step = int(row.pop("step"))
                values = {name: float(c) for name, c in row.items() if c}
                rows.setdefault(step, {"step": step}).update(values)
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged: {error!r}. Copy the run again."
        ) from error
    return list(rows.values())


def _floats(values):
    return {name: float(value) for name, value in values.items()}
