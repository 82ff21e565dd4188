"""GLUE's metrics, computed by scikit-learn and SciPy.

They are fractions; the benchmark shows them multiplied by 100.
"""

from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics


def glue_metrics(
    task: Any, labels: np.ndarray, predictions: np.ndarray
) -> dict[str, float]:
    """Computes the metrics of a task.

    Args:
        task: A `GlueTask`.
        labels: Class ids or scores `(N,)`.
        predictions: Class ids or scores `(N,)`.

    Returns:
        A dictionary of floats by the names in `task.metrics`.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    return {
        name: float(_METRICS[name](labels, predictions))
        for name in task.metrics
    }


def f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    """F1 of class 1; 0 if it occurs in neither labels nor predictions."""
    return metrics.f1_score(labels, predictions, zero_division=0.0)


def matthews(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Matthews correlation; 0 if labels or predictions are constant."""
    if np.ptp(labels) == 0 or np.ptp(predictions) == 0:
        return 0.0
    return metrics.matthews_corrcoef(labels, predictions)


def pearson(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Pearson correlation; 0 if labels or predictions are constant."""
    return _correlation(stats.pearsonr, labels, predictions)


def spearman(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Spearman rank correlation; 0 if labels or predictions are constant."""
    return _correlation(stats.spearmanr, labels, predictions)


def _correlation(function, labels, predictions):
    # In float64: SciPy treats values that differ only by rounding as constant.
    labels, predictions = labels.astype(float), predictions.astype(float)
    if np.ptp(labels) == 0 or np.ptp(predictions) < 1e-9:
        return 0.0
    return function(labels, predictions).statistic


_METRICS = {
    "accuracy": metrics.accuracy_score,
    "f1": f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}
