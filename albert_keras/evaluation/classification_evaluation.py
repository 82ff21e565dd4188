"""Evaluates sequence classifiers on tables, and writes their predictions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.tables.table_labels import Labels
from albert_keras.data.tables.table_writer import write_table
from albert_keras.data.tables.text_table import TextColumns, TextTable
from albert_keras.evaluation.classification_metrics import (
    LOWER_IS_BETTER,
    METRICS,
    best_thresholds,
    classification_metrics,
)
from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.problems import MULTI_LABEL, REGRESSION, decode_logits

PREDICTIONS_FILE = "dev_predictions.csv"


class ClassificationEvaluation(TaskEvaluation):
    """Predicts the labels of a table and computes scikit-learn's scores.

    Args:
        table: The rows.
        columns: Names of the table's columns.
        encoded: Their labels, see `encode_labels`.
        labels: Their problem and classes.
        examples: The rows as `LabelledTexts`.
        batch_size: Rows per batch on each device.
        metric: Name of the main score; None is the problem's.
        tune_thresholds: For "multi_label", whether to set the model's
            `thresholds` to those with the highest F1 on this table.

    Attributes:
        predictions, probabilities: Of the last call, see `decode_logits`.

    Raises:
        ValueError: If the main score is unknown, or lower is better.
    """

    def __init__(
        self,
        table: TextTable,
        columns: TextColumns,
        encoded: np.ndarray,
        labels: Labels,
        examples: Any,
        batch_size: int = 32,
        metric: str | None = None,
        tune_thresholds: bool = False,
    ) -> None:
        self.table = table
        self.columns = columns
        self.encoded = encoded
        self.labels = labels
        self.examples = examples
        self.batch_size = batch_size
        self.tune_thresholds = tune_thresholds
        names = METRICS[labels.problem]
        self._metric = metric or names[0]
        usable = [name for name in names if name not in LOWER_IS_BETTER]
        if self._metric not in usable:
            raise ValueError(
                f"`metric` must be one of {usable} for {labels.problem}. "
                f"Received: {metric!r}."
            )

    @property
    def metric(self) -> str:
        return self._metric

    @property
    def metrics(self) -> tuple[str, ...]:
        names = METRICS[self.labels.problem]
        others = tuple(name for name in names if name != self._metric)
        return (self._metric, *others)

    def evaluate(self, model, progress):
        problem = self.labels.problem
        logits = predict_logits(model, self.examples, self.batch_size, progress)
        if self.tune_thresholds and problem == MULTI_LABEL:
            _, probabilities = decode_logits(logits, problem)
            assert probabilities is not None
            model.thresholds = best_thresholds(self.encoded, probabilities)
        self.predictions, self.probabilities = decode_logits(
            logits, problem, model.thresholds
        )
        return classification_metrics(
            problem, self.encoded, self.predictions, self.probabilities
        )

    def write_predictions(self, directory: Path) -> None:
        """Writes line, texts, labels, predictions and all probabilities."""
        names = self.labels.class_names
        columns = (
            "line",
            *self.columns.texts,
            *self.labels.columns,
            *prediction_columns(names, all_probabilities=True),
        )
        added = prediction_cells(
            self.labels.problem,
            names,
            self.predictions,
            self.probabilities,
            all_probabilities=True,
        )
        rows = zip(
            self.table.lines,
            zip(*self.table.texts, strict=True),
            self.table.cells,
            added,
            strict=True,
        )
        with write_table(Path(directory) / PREDICTIONS_FILE, columns) as write:
            write(
                [
                    [line, *texts, *cells, *more]
                    for line, texts, cells, more in rows
                ]
            )


def predict_logits(
    model: Any,
    examples: Any,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Predicts the logits of all examples: `(N, C)` on every rank."""
    return np.stack(predict_rows(model, examples, batch_size, progress))


def prediction_columns(
    class_names: Sequence[str], all_probabilities: bool = False
) -> tuple[str, ...]:
    """Names of the columns that `prediction_cells` returns."""
    more = [f"probability_{name}" for name in class_names]
    return ("prediction", "probability", *(more if all_probabilities else []))


def prediction_cells(
    problem: str,
    class_names: Sequence[str],
    predictions: np.ndarray,
    probabilities: np.ndarray | None,
    all_probabilities: bool = False,
) -> list[list]:
    """Returns the cells of predictions, for each row.

    They are the prediction (a name, a list of names, or a number), its
    probability (a number, a list of numbers, or None for a regression), and
    if asked for the probability of each class.

    Args:
        problem: One of `albert_keras.problems.PROBLEMS`.
        class_names: Names of the classes.
        predictions, probabilities: See `decode_logits`.
        all_probabilities: Whether to return the probability of each class.
    """
    if probabilities is None or problem == REGRESSION:
        return [[value, None] for value in predictions.tolist()]
    rows = []
    for predicted, scores in zip(
        predictions.tolist(), probabilities.tolist(), strict=True
    ):
        if problem == MULTI_LABEL:
            ids = [i for i, chosen in enumerate(predicted) if chosen]
            cells = [[class_names[i] for i in ids], [scores[i] for i in ids]]
        else:
            cells = [class_names[predicted], scores[predicted]]
        rows.append([*cells, *(scores if all_probabilities else [])])
    return rows
