"""Scores of classifiers and regressions, computed by scikit-learn and SciPy."""

from collections.abc import Callable

import numpy as np
from sklearn import metrics

from albert_keras.evaluation.glue_metrics import matthews, pearson, spearman
from albert_keras.problems import (
    DEFAULT_THRESHOLD,
    MULTI_LABEL,
    REGRESSION,
    SINGLE_LABEL,
)

# The first one decides which model is the best; higher is better.
METRICS = {
    SINGLE_LABEL: ("accuracy", "macro_f1", "matthews", "roc_auc"),
    MULTI_LABEL: (
        "average_precision",
        "macro_f1",
        "micro_f1",
        "roc_auc",
        "accuracy",
    ),
    REGRESSION: ("pearson", "spearman", "rmse"),
}
LOWER_IS_BETTER = ("rmse",)


def classification_metrics(
    problem: str,
    labels: np.ndarray,
    predictions: np.ndarray,
    probabilities: np.ndarray | None,
) -> dict[str, float]:
    """Computes the scores in `METRICS[problem]`.

    Args:
        problem: One of `albert_keras.problems.PROBLEMS`.
        labels: Class ids `(N,)`; 1, 0 or NaN (not counted) `(N, C)`; or
            numbers `(N,)`.
        predictions, probabilities: See `decode_logits`.

    Returns:
        A dictionary of floats. "macro" scores, `roc_auc` and
        `average_precision` are means over classes; a class that all rows or
        none have has no part in the last two (0.5 and 0 if there is no
        other). `accuracy` of "multi_label" is the share of rows that are
        right in all known labels.
    """
    if problem == REGRESSION:
        scores = {
            "pearson": pearson(labels, predictions),
            "spearman": spearman(labels, predictions),
            "rmse": metrics.root_mean_squared_error(labels, predictions),
        }
    elif problem == SINGLE_LABEL:
        scores = _of_one_label(labels, predictions, probabilities)
    else:
        scores = _of_several_labels(labels, predictions, probabilities)
    return {name: float(scores[name]) for name in METRICS[problem]}


def best_thresholds(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[float, ...]:
    """Returns the threshold of each class that gives the highest F1.

    It is half-way between two probabilities, or 0.5 if none is better or the
    class has no row.

    Args:
        labels: 1, 0 or NaN, `(N, C)`.
        probabilities: `(N, C)`.
    """
    found = []
    for column, scores in zip(labels.T, probabilities.T, strict=True):
        known = ~np.isnan(column)
        found.append(_best_threshold(column[known], scores[known]))
    return tuple(found)


def _best_threshold(labels, probabilities):
    if not (labels == 1).any():
        return DEFAULT_THRESHOLD
    precision, recall, cuts = metrics.precision_recall_curve(
        labels, probabilities
    )
    total = precision + recall
    f1 = 2 * precision * recall / np.where(total == 0, 1, total)
    best = int(f1[:-1].argmax())  # the last point has no cut
    default = metrics.f1_score(
        labels, probabilities > DEFAULT_THRESHOLD, zero_division=0.0
    )
    if default >= f1[best] - 1e-12:
        return DEFAULT_THRESHOLD
    below = cuts[best - 1] if best else 0.0
    return float((below + cuts[best]) / 2)


def _of_one_label(labels, predictions, probabilities):
    num_classes = probabilities.shape[1]
    is_class = labels[:, None] == np.arange(num_classes)
    if num_classes == 2:  # both classes have the same
        is_class, probabilities = is_class[:, 1:], probabilities[:, 1:]
    return {
        "accuracy": metrics.accuracy_score(labels, predictions),
        "macro_f1": metrics.f1_score(
            labels, predictions, average="macro", zero_division=0.0
        ),
        "matthews": matthews(labels, predictions),
        "roc_auc": _mean_over_classes(
            metrics.roc_auc_score, is_class, probabilities, 0.5
        ),
    }


def _of_several_labels(labels, predictions, probabilities):
    known = ~np.isnan(labels)
    right = (labels == predictions) | ~known
    f1 = [
        metrics.f1_score(column[k], predicted[k], zero_division=0.0)
        for column, predicted, k in zip(
            labels.T, predictions.T, known.T, strict=True
        )
        if k.any()
    ]
    return {
        "average_precision": _mean_over_classes(
            metrics.average_precision_score, labels, probabilities, 0.0
        ),
        "macro_f1": np.average(f1),
        "micro_f1": metrics.f1_score(
            labels[known], predictions[known], zero_division=0.0
        ),
        "roc_auc": _mean_over_classes(
            metrics.roc_auc_score, labels, probabilities, 0.5
        ),
        "accuracy": right.all(axis=1).mean(),
    }


def _mean_over_classes(
    score: Callable, labels: np.ndarray, probabilities: np.ndarray, none: float
) -> float:
    """Mean of a score over the classes that some rows have and some do not."""
    scores = []
    for column, values in zip(labels.T, probabilities.T, strict=True):
        known = ~np.isnan(column.astype(float))
        column, values = column[known].astype(int), values[known]
        if 0 < column.sum() < len(column):
            scores.append(score(column, values))
    return float(np.average(scores)) if scores else none
