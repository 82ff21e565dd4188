"""Predictions from the logits of a sequence classifier, as SciPy has them."""

import numpy as np
import pytest
from scipy import special

from albert_keras.problems import decode_logits

EXTREME = np.array([[-1e4, 0.0, 1e4], [0.1, -3.0, 2.0], [0.0, 0.0, -1.0]])


def test_one_label_has_the_softmax_of_the_logits():
    logits = np.random.default_rng(0).normal(0, 9, (20, 4)).astype("float32")
    for scores in (logits, EXTREME.astype("float32")):
        classes, probabilities = decode_logits(scores, "single_label")
        expected = special.softmax(scores.astype("float64"), axis=-1)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-14)
        np.testing.assert_array_equal(classes, expected.argmax(axis=-1))


def test_several_labels_have_the_sigmoid_and_a_threshold_each():
    chosen, probabilities = decode_logits(EXTREME, "multi_label")
    np.testing.assert_allclose(
        probabilities, special.expit(EXTREME), rtol=1e-14
    )
    np.testing.assert_array_equal(chosen, EXTREME > 0)
    thresholds = (0.0, 0.5, 0.9)
    chosen, _ = decode_logits(EXTREME, "multi_label", thresholds)
    expected = special.expit(EXTREME) > np.array(thresholds)
    np.testing.assert_array_equal(chosen, expected)
    assert chosen.tolist()[1] == [True, False, False]


def test_a_regression_has_numbers_and_no_probabilities():
    values, probabilities = decode_logits(EXTREME[:, :1], "regression")
    assert values == pytest.approx(EXTREME[:, 0])
    assert probabilities is None
