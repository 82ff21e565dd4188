"""Evaluates models on GLUE and writes predictions for the benchmark."""

from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.tasks.glue import GlueTask
from albert_keras.evaluation.glue_metrics import glue_metrics
from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_file


class GlueEvaluation(TaskEvaluation):
    """Predicts for a task's development sets and computes the scores.

    With several sets, as in MNLI, each score's name ends in the set's suffix,
    such as `accuracy_matched`, and the mean over the sets has no suffix.

    Args:
        task: A `GlueTask`.
        dev_sets: Pairs of `GlueRows` and their `LabelledTexts`, by suffix.
        batch_size: Rows per batch on each device.

    Attributes:
        predictions: Class ids or scores of the last call, by suffix.
    """

    def __init__(
        self, task: GlueTask, dev_sets: dict[str, Any], batch_size: int = 32
    ) -> None:
        self.task = task
        self.dev_sets = dev_sets
        self.batch_size = batch_size
        self.predictions = {}

    @property
    def metric(self) -> str:
        return self.task.metrics[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        suffixes = ["", *(f"_{name}" for name in self.dev_sets if name)]
        return tuple(
            f"{metric}{suffix}"
            for suffix in suffixes
            for metric in self.task.metrics
        )

    def evaluate(self, model, progress):
        results = {}
        for suffix, (rows, examples) in self.dev_sets.items():
            predictions = glue_predictions(
                self.task, model, examples, self.batch_size, progress
            )
            self.predictions[suffix] = predictions
            results[suffix] = glue_metrics(self.task, rows.labels, predictions)
        if len(results) == 1:
            return next(iter(results.values()))
        means = {
            name: float(np.mean([scores[name] for scores in results.values()]))
            for name in self.task.metrics
        }
        return means | {
            f"{name}_{suffix}": score
            for suffix, scores in results.items()
            for name, score in scores.items()
        }

    def write_predictions(self, directory: Path) -> None:
        for suffix, (rows, _) in self.dev_sets.items():
            write_predictions(
                Path(directory) / predictions_file(rows.path),
                self.task,
                rows,
                self.predictions[suffix],
                with_labels=True,
            )


def glue_predictions(task, model, examples, batch_size=32, progress=None):
    """Predicts class ids, or scores for regression: `(N,)` on every rank."""
    rows = predict_rows(model, examples, batch_size, progress)
    logits = np.stack(rows)  # (N, C)
    return logits.argmax(axis=-1) if task.classes else logits[:, 0]


def predictions_file(path: Path) -> str:
    """Name of the file with a development set's predictions."""
    return f"{Path(path).stem}_predictions.tsv"


def write_predictions(path, task, rows, predictions, with_labels=False):
    """Writes a file in the format of the benchmark's server.

    Args:
        path: The `.tsv` file.
        task: A `GlueTask`.
        rows: `GlueRows`.
        predictions: Class ids, or scores, which are clipped to 0 to 5.
        with_labels: Whether to add a column with the labels, for inspection.
    """

    def to_text(value):
        if task.classes:
            return task.classes[value]
        return f"{min(max(float(value), 0.0), 5.0):.3f}"

    columns = [rows.indices, map(to_text, predictions)]
    if with_labels:
        columns.append(map(to_text, rows.labels))
    header = ("index", "prediction", "label")[: len(columns)]
    with atomic_file(path, encoding="utf-8") as file:
        for cells in (header, *zip(*columns, strict=True)):
            file.write("\t".join(cells) + "\n")
