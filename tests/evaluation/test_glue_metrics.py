"""GLUE's metrics against their formulas, and its submissions."""

from pathlib import Path

import numpy as np
import pytest

from albert_keras.data.tasks.glue import GLUE_TASKS, GlueRows
from albert_keras.evaluation.glue_evaluation import (
    GlueEvaluation,
    write_predictions,
)
from albert_keras.evaluation.glue_metrics import glue_metrics


def counts(labels, predictions):
    pairs = list(zip(labels, predictions, strict=True))
    return [pairs.count(pair) for pair in [(1, 1), (0, 1), (1, 0), (0, 0)]]


def test_matthews_f1_and_accuracy_are_their_formulas(rng):
    labels = rng.integers(0, 2, 200)
    predictions = np.where(rng.random(200) < 0.3, 1 - labels, labels)
    tp, fp, fn, tn = counts(labels.tolist(), predictions.tolist())
    matthews = (tp * tn - fp * fn) / np.sqrt(
        float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    )
    scores = glue_metrics(GLUE_TASKS["CoLA"], labels, predictions)
    assert scores["matthews"] == pytest.approx(matthews, rel=1e-12)
    assert scores["accuracy"] == (tp + tn) / 200
    scores = glue_metrics(GLUE_TASKS["QQP"], labels, predictions)
    assert scores["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))


def mean_ranks(values):
    values = np.asarray(values)
    return np.array(
        [
            (values < v).sum() + ((values == v).sum() + 1) / 2
            for v in values.tolist()
        ]
    )


def test_correlations_are_their_formulas_with_ties(rng):
    labels = (rng.integers(0, 26, 100) / 5).astype("float32")
    predictions = (labels + rng.normal(size=100)).astype("float32")
    scores = glue_metrics(GLUE_TASKS["STS-B"], labels, predictions)
    pearson = np.corrcoef(labels, predictions)[0, 1]
    assert scores["pearson"] == pytest.approx(pearson, abs=1e-12)
    spearman = np.corrcoef(mean_ranks(labels), mean_ranks(predictions))[0, 1]
    assert scores["spearman"] == pytest.approx(spearman, abs=1e-12)


@pytest.mark.parametrize("name", ["CoLA", "MRPC", "STS-B"])
def test_a_model_that_always_says_the_same_has_a_score_and_no_warning(name):
    task = GLUE_TASKS[name]
    scores = glue_metrics(task, np.array([0, 1, 1]), np.zeros(3))
    names = {"MRPC": ["f1"], "CoLA": ["matthews"]}.get(name, task.metrics)
    assert [scores[metric] for metric in names] == [0.0] * len(names)
    one = glue_metrics(task, np.array([1]), np.array([1]))
    assert np.isfinite(list(one.values())).all()


def make_rows(name, labels):
    return GlueRows(
        path=Path(name),
        texts=(),
        labels=np.array(labels),
        indices=tuple(str(n) for n in range(len(labels))),
    )


def test_mnli_has_a_score_that_matters_and_one_for_each_set(
    monkeypatch, tmp_path
):
    matched, mismatched = (
        make_rows("m.tsv", [0, 1, 2]),
        make_rows("mm.tsv", [1]),
    )
    predicted = {"matched": np.array([0, 1, 0]), "mismatched": np.array([1])}
    monkeypatch.setattr(
        "albert_keras.evaluation.glue_evaluation.glue_predictions",
        lambda task, model, examples, batch_size, progress: predicted[examples],
    )
    evaluation = GlueEvaluation(
        GLUE_TASKS["MNLI"],
        {
            "matched": (matched, "matched"),
            "mismatched": (mismatched, "mismatched"),
        },
    )
    results = evaluation(model=None)
    assert results == {
        "accuracy": pytest.approx((2 / 3 + 1) / 2),
        "accuracy_matched": pytest.approx(2 / 3),
        "accuracy_mismatched": 1.0,
    }
    assert set(evaluation.metrics) == set(results)
    assert evaluation.metric == "accuracy"
    evaluation.write(tmp_path)
    assert (tmp_path / "m_predictions.tsv").read_text() == (
        "index\tprediction\tlabel\n0\tcontradiction\tcontradiction\n"
        "1\tentailment\tentailment\n2\tcontradiction\tneutral\n"
    )


@pytest.mark.parametrize(
    "name, predictions, expected",
    [
        ("RTE", [1, 0], ["not_entailment", "entailment"]),
        ("WNLI", [1, 0], ["1", "0"]),
        ("STS-B", [5.4321, -0.1], ["5.000", "0.000"]),
        ("STS-B", [3.14159, 0.5], ["3.142", "0.500"]),
    ],
)
def test_submissions_hold_what_the_server_takes(
    tmp_path, name, predictions, expected
):
    rows = make_rows("test.tsv", [0, 0])
    path = tmp_path / f"{name}.tsv"
    write_predictions(path, GLUE_TASKS[name], rows, np.array(predictions))
    assert path.read_text().splitlines() == [
        "index\tprediction",
        f"0\t{expected[0]}",
        f"1\t{expected[1]}",
    ]
