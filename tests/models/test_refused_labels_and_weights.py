"""Labels and sample weights that are refused, on any backend of Keras."""

import keras
import numpy as np
import pytest

from tests.task_models import (
    CLASSES,
    LENGTH,
    MODELS,
    ROWS,
    SLOTS,
    model_and_inputs,
)

WRONG = {
    "one-hot labels": (
        "sequences",
        np.eye(3)[[0, 1, 2, 0]],
        None,
        r"'label' of objective 'label'.*\(B,\).*\(4, 3\)",
    ),
    "one label per row for tokens": (
        "tokens",
        np.zeros(ROWS, int),
        None,
        r"\(B, T\).*Received: \(4,\)",
    ),
    "labels of another length": (
        "tokens",
        np.zeros((ROWS, LENGTH - 1), int),
        None,
        r"labels \(4, 4\), predictions \(4, 5, 3\)",
    ),
    "two columns for a regression": (
        "regression",
        np.zeros((ROWS, 2)),
        None,
        r"\(4, 2\)",
    ),
    "weights of tokens for rows": (
        "sequences",
        np.zeros(ROWS, int),
        np.ones((ROWS, LENGTH)),
        r"sample weights of the labels 'label'.*\(4,\).*\(4, 5\)",
    ),
    "weights of another length": (
        "tokens",
        np.zeros((ROWS, LENGTH), int),
        np.ones((ROWS, LENGTH - 1)),
        r"\(4, 5\).*\(4, 4\)",
    ),
    "weights of one row": (
        "sequences",
        np.zeros(ROWS, int),
        np.ones(1),
        r"\(4,\).*\(1,\)",
    ),
    "unknown weights": (
        "pretraining",
        {"mlm": np.zeros((ROWS, SLOTS), int), "sop": np.zeros(ROWS, int)},
        {"mml": np.ones((ROWS, SLOTS))},
        r"\['mlm', 'sop'\].*\['mml'\]",
    ),
    "no dictionary": (
        "pretraining",
        np.zeros((ROWS, SLOTS), int),
        None,
        r"dictionary with the keys \['mlm', 'sop'\]",
    ),
    "class ids for several labels": (
        "several",
        np.zeros(ROWS, int),
        None,
        r"\(B, C\), 0 or 1.*\(4,\).*numpy.eye",
    ),
    "labels of other classes": (
        "several",
        np.zeros((ROWS, CLASSES + 1), int),
        None,
        r"0 or 1 for each class.*labels \(4, 4\), predictions \(4, 3\)",
    ),
    "twos for several labels": (
        "several",
        np.full((ROWS, CLASSES), 2),
        None,
        "must be 0 or 1, or -100.*Received: 2",
    ),
    "texts": (
        "sequences",
        np.array(["a", "b", "c", "a"]),
        None,
        "whole numbers.*Map each class to its id",
    ),
    "fractions": ("sequences", np.array([0, 0.5, 1, 2]), None, "0.5"),
    "minus one": ("tokens", np.full((ROWS, LENGTH), -1), None, "Received: -1"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("how", ["test_on_batch", "train_on_batch"])
def test_other_labels_and_weights_are_refused(name, how):
    kind, y, weights, message = WRONG[name]
    model, inputs = model_and_inputs(kind)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"(?s){message}"):
        getattr(model, how)(inputs, y, sample_weight=weights)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_text_labels_are_refused_by_fit_and_evaluate_too():
    model, inputs = model_and_inputs("sequences")
    labels = np.array(["a", "b", "c", "a"])
    for call in (model.fit, model.evaluate):
        for y in (labels, labels.astype(object)):
            with pytest.raises(ValueError, match="Map each class to its id"):
                call(inputs, y, verbose=0)
    with pytest.raises(ValueError, match="Map each class to its id"):
        model.fit(inputs, np.zeros(ROWS), validation_data=(inputs, labels))


@pytest.mark.parametrize("label", [-1, CLASSES])
def test_labels_out_of_range_raise_or_make_the_loss_nan(label):
    model, inputs = model_and_inputs("sequences")
    y = np.array([0, label, 1, 2])
    arguments = dict(sample_weight=np.ones(ROWS), return_dict=True)
    if keras.config.backend() == "tensorflow":
        with pytest.raises(Exception, match=f"{label}.*outside the valid"):
            model.test_on_batch(inputs, y, **arguments)
    else:
        assert np.isnan(model.test_on_batch(inputs, y, **arguments)["loss"])


@pytest.mark.parametrize(
    "kind", ["tokens", "several", "regression", "pretraining"]
)
def test_class_weights_of_other_labels_are_refused(kind):
    model, inputs = model_and_inputs(kind)
    y = {k: np.zeros(s, int) for k, (s, _) in MODELS[kind]["labels"].items()}
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="Pass `sample_weight`"):
            call(inputs, y, class_weight={0: 1.0, 1: 2.0})
