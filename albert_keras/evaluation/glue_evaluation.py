"""A model's scores on GLUE, and its predictions for the benchmark."""

from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.tasks.glue import GlueTask
from albert_keras.evaluation.glue_metrics import glue_metrics
from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_file


class GlueEvaluation(TaskEvaluation):
    """Predicts for the development sets of a task, and scores.

    With several, as MNLI has, each score has the end of the set's name, such
    as `accuracy_matched`, and their mean has none.

    Args:
        task: A `GlueTask`.
        dev_sets: By the end of the name pairs of `GlueRows` and their
            `LabelledTexts`.
        batch_size: Rows at a time on each rank.

    Attributes:
        predictions: Class ids or scores by development set, of the last call.
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
        ends = [f"_{end}" for end in self.dev_sets if end]
        return tuple(
            f"{name}{end}" for end in ("", *ends) for name in self.task.metrics
        )

    def evaluate(self, model, progress):
        results = {}
        for end, (rows, examples) in self.dev_sets.items():
            predictions = glue_predictions(
                self.task, model, examples, self.batch_size, progress
            )
            self.predictions[end] = predictions
            results[end] = glue_metrics(self.task, rows.labels, predictions)
        if len(results) == 1:
            return next(iter(results.values()))
        means = {
            name: float(np.mean([scores[name] for scores in results.values()]))
            for name in self.task.metrics
        }
        return means | {
            f"{name}_{end}": score
            for end, scores in results.items()
            for name, score in scores.items()
        }

    def write_predictions(self, directory: Path) -> None:
        for end, (rows, _) in self.dev_sets.items():
            write_predictions(
                Path(directory) / predictions_file(rows.path),
                self.task,
                rows,
                self.predictions[end],
                with_labels=True,
            )


def glue_predictions(task, model, examples, batch_size=32, progress=None):
    """Class ids, or scores for regression, `(N,)` on every rank."""
    rows = predict_rows(model, examples, batch_size, progress)
    logits = np.stack(rows)  # (N, C)
    return logits.argmax(axis=-1) if task.classes else logits[:, 0]


def predictions_file(path: Path) -> str:
    """Name of the file with the predictions for a development set."""
    return f"{Path(path).stem}_predictions.tsv"


def write_predictions(path, task, rows, predictions, with_labels=False):
    """Writes a file as the benchmark's server takes it.

    Args:
        path: The `.tsv`.
        task: A `GlueTask`.
        rows: `GlueRows`.
        predictions: Class ids, or scores, which are kept within 0 to 5.
        with_labels: Whether to add the right labels, for people to read.
    """

    def shown(value):
        if task.classes:
            return task.classes[value]
        return f"{min(max(float(value), 0.0), 5.0):.3f}"

    columns = [rows.indices, map(shown, predictions)]
    if with_labels:
        columns.append(map(shown, rows.labels))
    header = ("index", "prediction", "label")[: len(columns)]
    with atomic_file(path, encoding="utf-8") as file:
        for cells in (header, *zip(*columns, strict=True)):
            file.write("\t".join(cells) + "\n")
