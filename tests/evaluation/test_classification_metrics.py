"""Scores of classifiers, compared with scikit-learn's on whole matrices."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from albert_keras.evaluation.classification_evaluation import (
    prediction_cells,
    prediction_columns,
)
from albert_keras.evaluation.classification_metrics import (
    METRICS,
    best_thresholds,
    classification_metrics,
)
from albert_keras.problems import decode_logits


def scores(problem, labels, logits, thresholds=None):
    predictions, probabilities = decode_logits(logits, problem, thresholds)
    found = classification_metrics(problem, labels, predictions, probabilities)
    assert tuple(found) == METRICS[problem]
    assert all(type(score) is float for score in found.values())
    return found, predictions, probabilities


@pytest.mark.parametrize("num_classes", [2, 4])
def test_one_label_has_scikit_learns_scores_to_the_last_digit(rng, num_classes):
    labels = rng.integers(0, num_classes, 80)
    logits = rng.normal(0, 1, (80, num_classes))
    logits[np.arange(80), labels] += 1
    found, predictions, probabilities = scores("single_label", labels, logits)
    shown = probabilities[:, 1] if num_classes == 2 else probabilities
    assert found == {
        "accuracy": metrics.accuracy_score(labels, predictions),
        "macro_f1": metrics.f1_score(labels, predictions, average="macro"),
        "matthews": metrics.matthews_corrcoef(labels, predictions),
        "roc_auc": metrics.roc_auc_score(labels, shown, multi_class="ovr"),
    }


def test_several_labels_have_scikit_learns_scores_to_the_last_digit(rng):
    labels = rng.integers(0, 2, (80, 3)).astype("float32")
    logits = rng.normal(0, 1, (80, 3)) + labels
    thresholds = (0.4, 0.5, 0.7)
    found, predictions, probabilities = scores(
        "multi_label", labels, logits, thresholds
    )
    assert found == {
        "average_precision": metrics.average_precision_score(
            labels, probabilities
        ),
        "macro_f1": metrics.f1_score(labels, predictions, average="macro"),
        "micro_f1": metrics.f1_score(labels, predictions, average="micro"),
        "roc_auc": metrics.roc_auc_score(labels, probabilities),
        "accuracy": metrics.accuracy_score(labels, predictions),
    }
    # An unknown label has no part in any score.
    labels[::5, 1] = np.nan
    found, predictions, probabilities = scores("multi_label", labels, logits)
    known = ~np.isnan(labels)
    assert found["average_precision"] == pytest.approx(
        np.mean(
            [
                metrics.average_precision_score(
                    labels[known[:, c], c], probabilities[known[:, c], c]
                )
                for c in range(3)
            ]
        )
    )
    right = [
        all(labels[row][k] == predictions[row][k])
        for row, k in enumerate(known)
    ]
    assert found["accuracy"] == np.mean(right)


def test_regression_has_the_scores_of_scipy(rng):
    labels = rng.normal(3, 2, 60)
    values = labels + rng.normal(0, 1, 60)
    found, _, _ = scores("regression", labels, values[:, None])
    assert found == {
        "pearson": stats.pearsonr(labels, values).statistic,
        "spearman": stats.spearmanr(labels, values).statistic,
        "rmse": metrics.root_mean_squared_error(labels, values),
    }


def test_classes_that_no_row_has_leave_scores_defined():
    logits = np.eye(3)[[0, 0, 1, 1]]
    found, _, _ = scores("single_label", np.array([0, 0, 1, 1]), logits)
    assert found["roc_auc"] == found["accuracy"] == 1
    found, _, _ = scores("multi_label", np.zeros((4, 3)), logits)
    assert found["average_precision"] == 0
    assert found["roc_auc"] == 0.5


def test_thresholds_give_the_best_f1_of_all(rng):
    labels = rng.integers(0, 2, (60, 4)).astype(float)
    probabilities = np.clip(0.3 * labels + rng.uniform(0, 0.6, (60, 4)), 0, 1)
    labels[:7, 1] = np.nan
    labels[:, 3] = 0
    found = best_thresholds(labels, probabilities)
    assert found[3] == 0.5
    for c in range(3):
        known = ~np.isnan(labels[:, c])
        y, p = labels[known, c], probabilities[known, c]
        best = max(
            metrics.f1_score(y, p > cut, zero_division=0)
            for cut in [-1, 0.5, *p]
        )
        assert metrics.f1_score(y, p > found[c]) == best
    # 0.5 if nothing is better.
    assert best_thresholds(
        np.array([[0.0], [1]]), np.array([[0.2], [0.6]])
    ) == (0.5,)


def test_cells_name_the_predictions():
    names = ("a", "b")
    assert prediction_columns(names, True) == (
        "prediction",
        "probability",
        "probability_a",
        "probability_b",
    )
    logits = np.array([[0.0, np.log(3)], [5.0, 5.0]])
    cells = prediction_cells(
        "single_label", names, *decode_logits(logits, "single_label"), True
    )
    assert cells[0] == ["b", *(pytest.approx(x) for x in (0.75, 0.25, 0.75))]
    cells = prediction_cells(
        "multi_label", names, *decode_logits(logits, "multi_label")
    )
    assert [row[0] for row in cells] == [["b"], ["a", "b"]]
    assert cells[0][1] == [pytest.approx(0.75)]
    cells = prediction_cells(
        "regression", (), *decode_logits(logits[:, :1], "regression")
    )
    assert cells == [[0.0, None], [5.0, None]]
