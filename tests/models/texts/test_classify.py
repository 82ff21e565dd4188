"""Labels and probabilities are those of the logits of `predict`."""

import logging

import numpy as np
import pytest

import albert_keras as ak
from tests.models.texts.conftest import PAIRS, TEXTS

pytestmark = pytest.mark.heavy

NAMES = ("bad", "fair", "good")


@pytest.fixture
def model(make):
    return make(ak.AlbertForSequenceClassification, 3, class_names=NAMES)


def softmax(logits):
    powers = np.exp(np.asarray(logits, "float64"))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_labels_are_those_of_predict_to_the_bit(model, tokenizer):
    texts = [TEXTS[i % 5] + " ba" * (i % 7) for i in range(20)]
    logits = model.predict(tokenizer(texts), batch_size=8, verbose=0)["logits"]
    found = model.classify(texts, batch_size=8)
    # The difference of two logits is that of their log probabilities.
    p = np.array([list(row["probabilities"].values()) for row in found])
    shifted = logits.astype("float64") - logits.max(axis=1, keepdims=True)
    sums = np.exp(shifted).sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(p, np.exp(shifted) / sums)
    np.testing.assert_allclose(p, softmax(logits), rtol=1e-12)
    for row, expected in zip(found, logits.argmax(axis=1), strict=True):
        assert row["label"] == NAMES[expected]
        assert row["probability"] == row["probabilities"][row["label"]]
        assert list(row["probabilities"]) == list(NAMES)


def test_one_string_gives_one_dictionary(model):
    (of_list,) = model.classify([TEXTS[1]])
    assert model.classify(TEXTS[1]) == of_list
    (of_list,) = model.classify([TEXTS[1]], pairs=[PAIRS[1]])
    assert model.classify(TEXTS[1], pairs=PAIRS[1]) == of_list
    assert model.classify([]) == []


def test_pairs_are_given_in_two_ways(model, tokenizer):
    found = model.classify(list(zip(TEXTS, PAIRS, strict=True)))
    assert found == model.classify(TEXTS, pairs=PAIRS)
    logits = model.predict(tokenizer(TEXTS, PAIRS), verbose=0)["logits"]
    for row, expected in zip(found, softmax(logits), strict=True):
        np.testing.assert_allclose(
            list(row["probabilities"].values()), expected, rtol=1e-12
        )


def test_classes_without_names_are_numbers(make):
    model = make(ak.AlbertForSequenceClassification, 3)
    assert set(model.classify("Ba")["probabilities"]) == {"0", "1", "2"}


def test_regression_gives_the_number(make, tokenizer):
    model = make(ak.AlbertForSequenceClassification, 1)
    logits = model.predict(tokenizer(TEXTS), verbose=0)["logits"]
    assert model.classify(TEXTS) == [{"value": float(n)} for (n,) in logits]


def test_several_labels_are_those_over_their_thresholds(make, tokenizer):
    thresholds = (0.5, 0.2, 0.4)
    model = make(
        ak.AlbertForSequenceClassification,
        3,
        class_names=NAMES,
        problem="multi_label",
        thresholds=thresholds,
    )
    logits = model.predict(tokenizer(TEXTS), verbose=0)["logits"]
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    found = model.classify(TEXTS)
    for row, expected in zip(found, p, strict=True):
        over = np.flatnonzero(expected > thresholds)
        assert row["label"] == [NAMES[i] for i in over]
        assert row["probability"] == pytest.approx(expected[over], rel=1e-12)
        assert row["probabilities"] == pytest.approx(
            dict(zip(NAMES, expected, strict=True)), rel=1e-12
        )


def test_batches_by_length_give_the_same_labels(model, monkeypatch):
    module = "albert_keras.models.texts.predicting.can_fuse"
    expected = model.classify(TEXTS, batch_size=2)
    monkeypatch.setattr(module, lambda: False)
    for row, other in zip(
        model.classify(TEXTS, batch_size=2), expected, strict=True
    ):
        assert row["label"] == other["label"]
        assert row["probability"] == pytest.approx(other["probability"], 1e-5)


def test_a_text_that_is_too_long_is_truncated_with_a_warning(model, caplog):
    with caplog.at_level(logging.WARNING):
        model.classify(["Ba", "ba " * 100])
    assert "1 of 2 texts are longer than 48 tokens" in caplog.text
    assert "the first in row 1" in caplog.text


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["Ba", None], r"None \(NoneType\) in row 1"),
        (["", "Ba"], "'', which is empty, in row 0"),
        (" ", "which is empty"),
        ([3, 4], "must be a string or a list of strings. Received: list"),
        (3, "Received: int 3"),
    ],
)
def test_what_is_no_text_is_refused(model, texts, message):
    with pytest.raises(ValueError, match=message):
        model.classify(texts)
