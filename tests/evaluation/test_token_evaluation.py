"""Scores of entities against counts by hand, and CoNLL's format."""

import logging

import pytest

from albert_keras.data.tasks.conll import read_conll
from albert_keras.data.tasks.token_windows import TokenWindows
from albert_keras.evaluation import token_evaluation
from albert_keras.evaluation.token_evaluation import (
    TokenEvaluation,
    entity_scores,
)

LABELS = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O", "B-PER"]]
# A PER is cut short, the LOC found, an ORG tagged as LOC, a PER missed.
PREDICTIONS = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "O", "O"]]


def test_an_entity_is_right_where_words_and_type_are():
    scores = entity_scores(LABELS, PREDICTIONS)
    assert scores["precision"] == pytest.approx(1 / 3)
    assert scores["recall"] == pytest.approx(1 / 4)
    assert scores["f1"] == pytest.approx(2 / 7)
    assert scores["LOC_precision"] == 0.5 and scores["LOC_recall"] == 1
    assert scores["PER_f1"] == scores["ORG_f1"] == 0
    perfect = entity_scores(LABELS, LABELS)
    assert set(perfect.values()) == {1.0}


def test_both_schemes_of_inside_tags_are_the_same_entities():
    first = [["I-PER", "I-PER", "O", "I-LOC", "B-LOC"]]
    second = [["B-PER", "I-PER", "O", "B-LOC", "B-LOC"]]
    assert entity_scores(first, second)["f1"] == 1


def test_sentences_without_an_entity_have_a_score_and_no_warning():
    assert entity_scores([["O", "O"]], [["O", "O"]]) == {
        "f1": 0.0,
        "precision": 0.0,
        "recall": 0.0,
    }
    assert entity_scores([["O", "O"]], [["O", "B-X"]])["f1"] == 0


@pytest.fixture
def evaluate(tmp_path, store, monkeypatch):
    def evaluate(text, predictions):
        path = tmp_path / "dev.txt"
        path.write_text(text)
        conll = read_conll(path)
        windows = TokenWindows(conll, conll.tag_names, store.tokenizer, 32)
        monkeypatch.setattr(
            token_evaluation, "token_predictions", lambda *args: predictions
        )
        evaluation = TokenEvaluation(windows)
        results = evaluation(model=None)
        evaluation.write(tmp_path / "out")
        return evaluation, results

    return evaluate


def test_predictions_are_the_files_columns_and_the_tag(evaluate, tmp_path):
    evaluation, results = evaluate(
        "-DOCSTART- -X- O\n\na NN B-X\nb NN O\n\nc NN O\n",
        [["B-X", "B-X"], ["O"]],
    )
    assert results["accuracy"] == pytest.approx(2 / 3)
    assert results["precision"] == 0.5 and results["recall"] == 1
    assert evaluation.metric == "f1"
    assert set(evaluation.metrics) <= set(results)
    assert (tmp_path / "out/predictions.txt").read_text() == (
        "a NN B-X B-X\nb NN O B-X\n\nc NN O O\n\n"
    )


def test_tags_that_mark_no_entities_have_accuracy_alone(evaluate, tmp_path):
    evaluation, results = evaluate("a b\tNN\nc\tVB\n", [["NN", "NN"]])
    assert results == {"accuracy": 0.5}
    assert evaluation.metric == "accuracy"
    # A word with a space in it is still one column.
    assert (tmp_path / "out/predictions.txt").read_text() == (
        "a b\tNN\tNN\nc\tVB\tNN\n\n"
    )


def test_spacys_tags_have_entities_and_a_stray_tag_is_told(evaluate, caplog):
    text = "John U-PER\nin O\nNew B-LOC\nYork L-LOC\nx Z\n"
    with caplog.at_level(logging.WARNING):
        evaluation, results = evaluate(
            text, [["U-PER", "O", "B-LOC", "L-LOC", "O"]]
        )
    assert evaluation.metric == "f1" and results["f1"] == 1
    assert results["LOC_f1"] == 1 and results["accuracy"] == 0.8
    assert "dev.txt: The tags 'Z' are not of the scheme BILOU" in caplog.text
