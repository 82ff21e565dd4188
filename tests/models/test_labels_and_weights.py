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

ROWS, LENGTH, SLOTS, CHOICES, CLASSES = 4, 5, 3, 2, 3
CONFIG = ak.AlbertConfig(
    vocabulary_size=50,
    num_layers=1,
    num_heads=2,
    embedding_dim=6,
    hidden_dim=8,
    intermediate_dim=12,
    max_sequence_length=16,
    initializer_range=0.3,
)
FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def make_inputs(rows=ROWS, more=(), choices=()):
    rng = np.random.default_rng(0)
    shape = (rows, *choices, LENGTH)
    inputs = {
        "token_ids": rng.integers(5, 50, shape).astype("int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
    }
    if "mask_positions" in more:
        positions = rng.integers(0, LENGTH, (rows, SLOTS))
        inputs["mask_positions"] = positions.astype("int32")
    return inputs


def softmax_loss(logits, labels):
    logits = logits - logits.max(-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, labels[..., None], -1)[..., 0]


def hits(logits, labels):
    return (logits.argmax(-1) == labels).astype(float)


def logit_loss(logits, labels):
    return np.log1p(np.exp(np.where(labels, -logits, logits)))


def spans(outputs, y):
    start, end = outputs["start_logits"], outputs["end_logits"]
    return (
        softmax_loss(start, y["start"]),
        softmax_loss(end, y["end"]),
        hits(start, y["start"]) * hits(end, y["end"]),
    )


# For each model: arguments of `make_inputs`, shape and number of classes of
# each label, and loss and hits of the targets by objective.
MODELS = {
    "regression": dict(
        make=lambda b: ak.AlbertForSequenceClassification(b, num_classes=1),
        labels={"label": ((ROWS,), None)},
        loss=lambda o, y: {
            "label": ((o["logits"][:, 0] - y["label"]) ** 2, None)
        },
    ),
    "sequences": dict(
        make=lambda b: ak.AlbertForSequenceClassification(b, CLASSES),
        labels={"label": ((ROWS,), CLASSES)},
        loss=lambda o, y: {
            "label": (
                softmax_loss(o["logits"], y["label"]),
                hits(o["logits"], y["label"]),
            )
        },
    ),
    "choices": dict(
        make=ak.AlbertForMultipleChoice,
        inputs=dict(choices=(CHOICES,)),
        labels={"label": ((ROWS,), CHOICES)},
        loss=lambda o, y: {
            "label": (
                softmax_loss(o["logits"], y["label"]),
                hits(o["logits"], y["label"]),
            )
        },
    ),
    "tokens": dict(
        make=lambda b: ak.AlbertForTokenClassification(b, CLASSES),
        labels={"label": ((ROWS, LENGTH), CLASSES)},
        loss=lambda o, y: {
            "label": (
                softmax_loss(o["logits"], y["label"]),
                hits(o["logits"], y["label"]),
            )
        },
    ),
    "masked": dict(
        make=ak.AlbertForMaskedLM,
        inputs=dict(more=("mask_positions",)),
        labels={"mlm": ((ROWS, SLOTS), 50)},
        loss=lambda o, y: {
            "mlm": (
                softmax_loss(o["mlm_logits"], y["mlm"]),
                hits(o["mlm_logits"], y["mlm"]),
            )
        },
    ),
    "pretraining": dict(
        make=ak.AlbertForPretraining,
        inputs=dict(more=("mask_positions",)),
        labels={"mlm": ((ROWS, SLOTS), 50), "sop": ((ROWS,), 2)},
        loss=lambda o, y: {
            key: (
                softmax_loss(o[f"{key}_logits"], y[key]),
                hits(o[f"{key}_logits"], y[key]),
            )
            for key in ("mlm", "sop")
        },
    ),
    "answerable": dict(
        make=lambda b: ak.AlbertForQuestionAnswering(b, True),
        labels={
            "start": ((ROWS,), LENGTH),
            "end": ((ROWS,), LENGTH),
            "answerable": ((ROWS,), 2),
        },
    ),
}


def make_model(kind, **compile_arguments):
    keras.utils.set_random_seed(0)
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    model = MODELS[kind]["make"](backbone)
    model.compile("sgd", run_eagerly=True, **compile_arguments)
    return model


MADE = {}


def model_and_inputs(kind):
    """A model that is only evaluated, made once."""
    if kind not in MADE:
        inputs = make_inputs(**MODELS[kind].get("inputs", {}))
        MADE[kind] = make_model(kind), inputs
    return MADE[kind]


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
            passed = y[key].astype(draw(st.sampled_from(["int64", "float32"])))
            if draw(st.booleans()):
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
    arguments = dict(sample_weight=given_w, return_dict=True)
    assert_close(
        model.evaluate(inputs, given_y, verbose=0, **arguments), expected
    )
    assert_close(model.test_on_batch(inputs, given_y, **arguments), expected)


@FEW
@given(data=st.data())
def test_spans_count_by_the_weights_of_start_and_end(data):
    given_y, given_w, y, w = data.draw(targets(MODELS["answerable"]["labels"]))
    present = (w["start"] != 0) & (w["end"] != 0)
    start_weights, end_weights = w["start"] * present, w["end"] * present
    if not present.any() or not w["answerable"].any():
        return
    model, inputs = model_and_inputs("answerable")
    outputs = {k: np.array(v) for k, v in model(inputs).items()}
    start, end, exact = spans(outputs, y)
    both = (start_weights + end_weights) / 2
    span = (start * start_weights + end * end_weights).sum() / 2 / both.sum()
    yes, weights = y["answerable"], w["answerable"]
    logits = outputs["answerable_logits"]
    answerable = (logit_loss(logits, yes) * weights).sum() / weights.sum()
    right = ((logits > 0) == yes) * weights
    results = model.evaluate(
        inputs, given_y, sample_weight=given_w, verbose=0, return_dict=True
    )
    assert_close(
        results,
        {
            "loss": span + 0.5 * answerable,
            "span_loss": span,
            "span_exact": (exact * both).sum() / both.sum(),
            "answerable_loss": answerable,
            "answerable_accuracy": right.sum() / weights.sum(),
        },
    )


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


@pytest.mark.parametrize("kind", ["tokens", "masked", "sequences"])
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


@pytest.mark.parametrize("kind", ["tokens", "regression", "pretraining"])
def test_class_weights_of_other_labels_are_refused(kind):
    model, inputs = model_and_inputs(kind)
    y = {k: np.zeros(s, int) for k, (s, _) in MODELS[kind]["labels"].items()}
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="Pass `sample_weight`"):
            call(inputs, y, class_weight={0: 1.0, 1: 2.0})
