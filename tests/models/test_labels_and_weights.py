"""Labels and sample weights of every shape, compared with NumPy.

Runs on any backend of Keras; tests/training/steps/test_targets_elsewhere.py
runs it on JAX.
"""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import albert_keras as ak
from tests.batches import Batches
from tests.marks import others_slow
from tests.task_models import (
    CLASSES,
    CONFIG,
    MODELS,
    ROWS,
    SLOTS,
    logit_loss,
    make_inputs,
    make_model,
    model_and_inputs,
    spans,
)

pytestmark = pytest.mark.heavy

FEW = settings(
    max_examples=settings.default.max_examples // 6,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def targets(draw, labels):
    """Labels and weights as a caller passes them, and as NumPy needs them."""
    given_y, given_w, y, w = {}, {}, {}, {}
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    for key, (shape, classes) in labels.items():
        weights = np.ones(shape)
        if classes is None:
            y[key] = rng.normal(size=shape)
            passed = y[key].astype("float32")
        else:
            y[key] = rng.integers(0, classes, shape)
            signed = ["int64", "int32", "float32"]
            types = ["uint8", *signed, *["bool"] * (classes == 2)]
            dtype = draw(st.sampled_from(types))
            passed = y[key].astype(dtype)
            if dtype in signed and draw(st.booleans()):
                ignored = rng.random(shape) < 0.3
                passed = np.where(ignored, -100, passed).astype(passed.dtype)
                weights = weights * ~ignored
        forms = ["none", "full", "full 1", "rows", "rows 1"]
        form = draw(st.sampled_from(forms))
        rows = np.round(rng.uniform(0.5, 2, (ROWS, *[1] * (len(shape) - 1))), 2)
        full = np.round(rng.uniform(0, 2, shape), 2)
        given_w[key] = {
            "none": None,
            "full": full,
            "full 1": full[..., None],
            "rows": rows.reshape(-1),
            "rows 1": rows.reshape(-1, 1),
        }[form]
        if form != "none":
            weights = weights * (full if "full" in form else rows)
        given_y[key] = passed[..., None] if draw(st.booleans()) else passed
        w[key] = weights
    if len(labels) == 1 and draw(st.booleans()):
        (given_y,), (given_w,) = given_y.values(), given_w.values()
    elif all(value is None for value in given_w.values()):
        given_w = None
    else:
        given_w = {k: v for k, v in given_w.items() if v is not None}
    return given_y, given_w, y, w


def expected_results(kind, outputs, y, w):
    """Loss and accuracies in NumPy."""
    results, total = {}, 0.0
    for name, (loss, hit) in MODELS[kind]["loss"](outputs, y).items():
        weights = w[name]
        results[f"{name}_loss"] = (loss * weights).sum() / weights.sum()
        if hit is not None:
            results[f"{name}_accuracy"] = (hit * weights).sum() / weights.sum()
        total += results[f"{name}_loss"]
    return {"loss": total, **results}


def assert_close(results, expected):
    assert results.keys() >= expected.keys()
    for name, value in expected.items():
        assert results[name] == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize("kind", [k for k in MODELS if "loss" in MODELS[k]])
@FEW
@given(data=st.data())
def test_evaluation_equals_numpy_whatever_the_shapes(kind, data):
    given_y, given_w, y, w = data.draw(targets(MODELS[kind]["labels"]))
    if any(weights.sum() == 0 for weights in w.values()):
        return
    model, inputs = model_and_inputs(kind)
    outputs = {k: np.array(v) for k, v in model(inputs).items()}
    expected = expected_results(kind, outputs, y, w)
    evaluate = data.draw(st.sampled_from(WAYS))
    assert_close(evaluate(model, inputs, given_y, given_w), expected)


def evaluate_arrays(model, inputs, y, weights):
    return model.evaluate(
        inputs, y, sample_weight=weights, verbose=0, return_dict=True
    )


def evaluate_one_batch(model, inputs, y, weights):
    return model.test_on_batch(
        inputs, y, sample_weight=weights, return_dict=True
    )


def evaluate_dataset(model, inputs, y, weights):
    """Evaluates batches of different sizes, without weights as a pair."""
    batch = (inputs, y) if weights is None else (inputs, y, weights)
    parts = [
        keras.tree.map_structure(lambda array: array[rows], batch)  # noqa: B023
        for rows in (slice(0, 1), slice(1, None))
    ]
    return model.evaluate(Batches(parts), verbose=0, return_dict=True)


WAYS = [evaluate_arrays, evaluate_one_batch, evaluate_dataset]


@pytest.mark.parametrize("kind", ["spans", "answerable"])
@FEW
@given(data=st.data())
def test_spans_count_by_the_weights_of_start_and_end(kind, data):
    given_y, given_w, y, w = data.draw(targets(MODELS[kind]["labels"]))
    start, end = (given_y[key].astype(int).ravel() for key in ("start", "end"))
    present = (start != -100) & (end != -100)
    start_weights, end_weights = w["start"] * present, w["end"] * present
    if not (start_weights + end_weights).any() or not all(
        map(np.any, w.values())
    ):
        return
    model, inputs = model_and_inputs(kind)
    outputs = {k: np.array(v) for k, v in model(inputs).items()}
    start, end, exact = spans(outputs, y)
    both = (start_weights + end_weights) / 2
    span = (start * start_weights + end * end_weights).sum() / 2 / both.sum()
    expected = {
        "loss": span,
        "span_loss": span,
        "span_exact": (exact * both).sum() / both.sum(),
    }
    if kind == "answerable":
        yes, weights = y["answerable"], w["answerable"]
        logits = outputs["answerable_logits"]
        loss = (logit_loss(logits, yes) * weights).sum() / weights.sum()
        right = ((logits > 0) == yes) * weights
        expected |= {
            "loss": span + 0.5 * loss,
            "answerable_loss": loss,
            "answerable_accuracy": right.sum() / weights.sum(),
        }
    evaluate = data.draw(st.sampled_from(WAYS))
    assert_close(evaluate(model, inputs, given_y, given_w), expected)


def test_one_array_and_the_name_of_the_objective_weigh_start_and_end():
    keras.utils.set_random_seed(0)
    model = ak.AlbertForQuestionAnswering(ak.AlbertBackbone.from_config(CONFIG))
    model.compile("sgd", run_eagerly=True)
    inputs = make_inputs()
    y = {"start": np.array([1, 2, 3, 4]), "end": np.array([2, 2, 4, 4])}
    w = np.array([1.0, 0, 0, 0])

    def loss(weights):
        return model.evaluate(inputs, y, sample_weight=weights, verbose=0)[0]

    first = model.evaluate(
        {k: v[:1] for k, v in inputs.items()},
        {k: v[:1] for k, v in y.items()},
        verbose=0,
    )[0]
    assert loss(w) == pytest.approx(first, rel=1e-5)
    assert loss({"start": w, "end": w}) == pytest.approx(first, rel=1e-5)
    assert loss({"span": w[:, None]}) == pytest.approx(first, rel=1e-5)


def test_weights_that_name_one_objective_train_from_arrays():
    inputs = make_inputs(more=("mask_positions",))
    y = {"mlm": np.full((ROWS, SLOTS), 7), "sop": np.array([0, 1, 1, 0])}
    w = np.arange(ROWS * SLOTS).reshape(ROWS, SLOTS) % 3
    ends = []
    for weights in ({"mlm": w}, {"mlm": w, "sop": np.ones(ROWS)}):
        model = make_model("pretraining")
        model.fit(
            inputs,
            y,
            sample_weight=weights,
            validation_data=(inputs, y, weights),
            shuffle=False,
            verbose=0,
        )
        ends.append(model.get_weights())
    for mine, theirs in zip(*ends, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_missing_one_of_several_labels_may_be_nan_or_minus_100():
    model, inputs = model_and_inputs("several")
    labels = np.random.default_rng(1).integers(0, 2, (ROWS, CLASSES))
    known = np.ones_like(labels)
    known[0, 1] = known[2] = 0
    losses = logit_loss(np.array(model(inputs)["logits"]), labels)
    rows = np.array([1.0, 2.0, 3.0, 0.5])
    weights = known * rows[:, None]
    expected = (losses * weights).sum() / weights.sum()
    for missing in (np.nan, -100):
        y = np.where(known, labels, missing)
        results = model.evaluate(inputs, y, sample_weight=rows, verbose=0)
        assert results[0] == pytest.approx(expected, rel=1e-5)
    results = model.evaluate(inputs, labels, sample_weight=rows, verbose=0)
    mean = np.average(losses.mean(axis=1), weights=rows)
    assert results[0] == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    "kind", others_slow(["tokens", "masked", "sequences", "several"])
)
def test_ignored_labels_have_no_part_in_the_update(kind):
    inputs = make_inputs(**MODELS[kind].get("inputs", {}))
    ((key, (shape, classes)),) = MODELS[kind]["labels"].items()
    labels = np.random.default_rng(1).integers(0, classes, shape)
    weights = np.ones(shape)
    weights[1] = 0
    if weights.ndim > 1:
        weights[2, -1] = 0
    ends = []
    for y, w in (
        (np.where(weights == 0, -100, labels), None),
        (np.where(weights == 0, -1, labels), weights),
        (labels, weights),
    ):
        model = make_model(kind, gradient_accumulation_steps=2)
        model.train_on_batch(inputs, y, sample_weight=w)
        ends.append(model.get_weights())
    for others in ends[1:]:
        for mine, theirs in zip(ends[0], others, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_class_weights_are_those_of_the_rows():
    inputs = make_inputs()
    y = np.array([0, 1, 2, 1])
    ends = []
    for arguments in (
        {"class_weight": {0: 1.0, 1: 0.25, 2: 3.0}},
        {"sample_weight": np.array([1, 0.25, 3, 0.25])},
    ):
        model = make_model("sequences")
        model.fit(inputs, y, shuffle=False, verbose=0, **arguments)
        model.fit(inputs, y[:, None], shuffle=False, verbose=0, **arguments)
        ends.append(model.get_weights())
    for mine, theirs in zip(*ends, strict=True):
        np.testing.assert_array_equal(mine, theirs)
