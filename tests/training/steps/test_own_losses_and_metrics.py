"""Losses and metrics that a caller passes to `compile`.

Runs on any backend of Keras; test_targets_elsewhere.py runs it on JAX.
"""

import keras
import numpy as np
import pytest
from keras import losses, metrics, ops
from sklearn import metrics as scores

import albert_keras as ak
from tests.batches import Batches
from tests.marks import slow_except
from tests.task_models import (
    CLASSES,
    CONFIG,
    LENGTH,
    MODELS,
    ROWS,
    make_inputs,
    make_model,
)

pytestmark = pytest.mark.heavy


def squared(labels, predictions):
    """A loss of a user: squared distance of the label's probability to 1."""
    p = ops.softmax(predictions, axis=-1)
    ids = ops.cast(labels, "int32")[..., None]
    return ops.square(1 - ops.take_along_axis(p, ids, axis=-1)[..., 0])


def batch_of(kind, rng, ignored=True):
    """Inputs, labels and weights; some targets have no label."""
    inputs = make_inputs(**MODELS[kind].get("inputs", {}))
    labels, weights = {}, {}
    for key, (shape, classes) in MODELS[kind]["labels"].items():
        weights[key] = rng.uniform(0.5, 2, shape).astype("float32")
        if classes is None:
            labels[key] = rng.normal(size=shape).astype("float32")
            continue
        labels[key] = rng.integers(0, classes, shape)
        if ignored:
            labels[key].flat[1] = -100
    return inputs, labels, weights


def fit(kind, batch, optimizer="sgd", steps=1, **arguments):
    """A model after one update, and the logs of the update."""
    keras.utils.set_random_seed(0)
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    model = MODELS[kind]["make"](backbone)
    arguments = {"run_eagerly": True, **arguments}
    model.compile(optimizer, gradient_accumulation_steps=steps, **arguments)
    logs = model.fit(Batches([batch]), verbose=0).history
    return model, {name: value[0] for name, value in logs.items()}


@pytest.fixture(autouse=True)
def no_dropout(monkeypatch):
    """Heads without dropout, so that NumPy can follow an update."""
    for made in (
        ak.AlbertForSequenceClassification,
        ak.AlbertForTokenClassification,
        ak.AlbertForMultipleChoice,
        ak.AlbertForQuestionAnswering,
    ):
        make_head = made.make_head
        monkeypatch.setattr(
            made,
            "make_head",
            lambda self, name, units, dropout=None, make=make_head: make(
                self, name, units, 0.0
            ),
        )


# A loss as passed to `compile`, and Keras's values for each target.
one_hot = np.eye(CLASSES)
CASES = {
    "sequences, by name": (
        "sequences",
        "sparse_categorical_crossentropy",
        lambda y, o: losses.sparse_categorical_crossentropy(
            y["label"], o["logits"], from_logits=True
        ),
    ),
    "sequences, one-hot": (
        "sequences",
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        lambda y, o: losses.categorical_crossentropy(
            one_hot[y["label"]],
            o["logits"],
            from_logits=True,
            label_smoothing=0.1,
        ),
    ),
    "sequences, a function": (
        "sequences",
        squared,
        lambda y, o: squared(y["label"], o["logits"]),
    ),
    "tokens, focal": (
        "tokens",
        ak.FocalCrossEntropy(gamma=2.0),
        lambda y, o: losses.categorical_focal_crossentropy(
            one_hot[y["label"]],
            o["logits"],
            alpha=1.0,
            gamma=2.0,
            from_logits=True,
        ),
    ),
    "choices, an object": (
        "choices",
        losses.SparseCategoricalCrossentropy(from_logits=True),
        lambda y, o: losses.sparse_categorical_crossentropy(
            y["label"], o["logits"], from_logits=True
        ),
    ),
    "several, by function": (
        "several",
        losses.binary_crossentropy,
        lambda y, o: np.log1p(
            np.exp(np.where(y["label"], -o["logits"], o["logits"]))
        ),
    ),
    "several, focal": (
        "several",
        losses.BinaryFocalCrossentropy(from_logits=True),
        lambda y, o: losses.binary_focal_crossentropy(
            y["label"][..., None].astype("float32"),
            o["logits"][..., None],
            from_logits=True,
        ),
    ),
    "numbers": (
        "regression",
        losses.Huber(delta=0.5),
        lambda y, o: losses.huber(y["label"][:, None], o["logits"], delta=0.5),
    ),
    "masked": (
        "masked",
        squared,
        lambda y, o: squared(y["mlm"], o["mlm_logits"]),
    ),
}


NOT_SLOW = ("sequences, one-hot", "tokens, focal", "several, focal")


@pytest.mark.parametrize("case", slow_except(CASES, *NOT_SLOW))
def test_the_loss_is_the_weighted_mean_of_kerass_losses(case, rng):
    kind, loss, expected = CASES[case]
    inputs, labels, weights = batch = batch_of(kind, rng)
    outputs = make_model(kind).predict(inputs, verbose=0)
    (key,) = labels
    is_known = labels[key] != -100
    known = {key: np.where(is_known, labels[key], 0)}
    values = ops.convert_to_numpy(expected(known, outputs))
    w = weights[key] * is_known
    _, logs = fit(kind, batch, steps=2, loss=loss)
    assert logs["loss"] == pytest.approx((values * w).sum() / w.sum())


def test_each_objective_can_have_a_loss_of_its_own(rng):
    inputs, labels, weights = batch = batch_of("answerable", rng)
    loss = {"span": squared, "answerable_logits": "binary_focal_crossentropy"}
    outputs = make_model("answerable").predict(inputs, verbose=0)
    # Its answerability head has dropout, which evaluation omits.
    model = make_model("answerable", loss=loss)
    logs = model.evaluate(*batch[:2], 2, 0, weights, return_dict=True)
    # A span without one of its labels is left out.
    is_known = (labels["start"] != -100) & (labels["end"] != -100)
    sums = 0
    total = sum(weights[key] * is_known for key in ("start", "end")).sum() / 2
    for key in ("start", "end"):
        y = np.where(is_known, labels[key], 0)
        values = ops.convert_to_numpy(squared(y, outputs[f"{key}_logits"]))
        sums += (values * weights[key] * is_known).sum() / 2
    assert logs["span_loss"] == pytest.approx(sums / total)
    y = labels["answerable"]
    values = losses.binary_focal_crossentropy(
        np.where(y == -100, 0, y)[:, None].astype("float32"),
        outputs["answerable_logits"][:, None],
        from_logits=True,
    )
    w = weights["answerable"] * (y != -100)
    expected = (ops.convert_to_numpy(values) * w).sum() / w.sum()
    assert logs["answerable_loss"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "kind", slow_except(["tokens", "several", "pretraining"], "tokens")
)
def test_accumulation_changes_neither_weights_nor_metrics(kind, rng):
    batch = batch_of(kind, rng)
    arguments = {
        "tokens": dict(
            loss=squared,
            metrics=["accuracy", metrics.F1Score(name="f1")],
            weighted_metrics=["sparse_categorical_crossentropy"],
        ),
        "several": dict(
            loss=losses.BinaryFocalCrossentropy(from_logits=True),
            metrics=[metrics.AUC(name="auc"), metrics.F1Score(name="f1")],
            weighted_metrics=["binary_accuracy"],
        ),
        "pretraining": dict(
            loss={"mlm": squared},
            metrics={"mlm": "acc", "sop": [metrics.AUC(name="auc")]},
        ),
    }[kind]
    model, logs = fit(kind, batch, **arguments)
    other, split = fit(kind, batch, steps=2, **arguments)
    for mine, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_allclose(
            *map(ops.convert_to_numpy, (mine, theirs)), rtol=0, atol=1e-6
        )
    assert logs.keys() == split.keys()
    for name, value in logs.items():
        np.testing.assert_allclose(split[name], value, rtol=1e-5, err_msg=name)


# === Metrics ===


def test_metrics_of_tokens_are_those_of_scikit_learn(rng):
    inputs, labels, _ = batch_of("tokens", rng, ignored=False)
    labels["label"][0, 2:] = -100
    labels["label"][1, 1:] = -100
    weights = rng.uniform(0.5, 2, (ROWS, LENGTH)).astype("float32")
    model = make_model(
        "tokens",
        metrics=[
            "accuracy",
            metrics.F1Score(average="macro", name="macro_f1"),
            "sparse_categorical_crossentropy",
        ],
        weighted_metrics=["accuracy"],
    )
    found = model.evaluate(
        inputs, labels, 2, 0, {"label": weights}, return_dict=True
    )
    logits = model.predict(inputs, verbose=0)["logits"]
    is_known = labels["label"] != -100
    y, z, w = labels["label"][is_known], logits[is_known], weights[is_known]
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    expected = {
        "accuracy": scores.accuracy_score(y, z.argmax(-1)),
        "macro_f1": scores.f1_score(y, z.argmax(-1), average="macro"),
        "sparse_categorical_crossentropy": scores.log_loss(
            y, p, labels=range(CLASSES)
        ),
        "weighted_accuracy": scores.accuracy_score(
            y, z.argmax(-1), sample_weight=w
        ),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name


def test_metrics_of_several_labels_are_those_of_scikit_learn(rng):
    inputs, labels, _ = batch_of("several", rng, ignored=False)
    model = make_model(
        "several",
        metrics=[
            metrics.Precision(name="precision"),
            metrics.Recall(name="recall", thresholds=0.5),
            metrics.F1Score(average="macro", threshold=0.5, name="macro_f1"),
            metrics.BinaryCrossentropy(name="entropy"),
        ],
        weighted_metrics=["binary_accuracy"],
    )
    found = model.evaluate(inputs, labels, 2, 0, return_dict=True)
    z = model.predict(inputs, verbose=0)["logits"].astype("float64")
    y, chosen = labels["label"], z > 0
    flat = (y.ravel(), chosen.ravel())
    expected = {
        "precision": scores.precision_score(*flat),
        "recall": scores.recall_score(*flat),
        "macro_f1": scores.f1_score(
            y, chosen, average="macro", zero_division=0
        ),
        "entropy": scores.log_loss(y.ravel(), 1 / (1 + np.exp(-z.ravel()))),
        "binary_accuracy": scores.accuracy_score(*flat),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name


def test_metrics_of_numbers_are_those_of_scikit_learn(rng):
    inputs, labels, weights = batch_of("regression", rng)
    model = make_model(
        "regression",
        metrics=["mae", metrics.RootMeanSquaredError(name="rmse")],
        weighted_metrics=[metrics.R2Score(name="r2")],
    )
    found = model.evaluate(inputs, labels, 2, 0, weights, return_dict=True)
    z, y = model.predict(inputs, verbose=0)["logits"][:, 0], labels["label"]
    expected = {
        "mae": scores.mean_absolute_error(y, z),
        "rmse": scores.root_mean_squared_error(y, z),
        "r2": scores.r2_score(y, z, sample_weight=weights["label"]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name


def test_a_metric_of_spans_counts_starts_and_ends(rng):
    inputs, labels, _ = batch_of("spans", rng, ignored=False)
    arguments = {"metrics": {"span": "accuracy", "end": ["accuracy"]}}
    model = make_model("spans", **arguments)
    found = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    outputs = model.predict(inputs, verbose=0)
    start, end = (
        (outputs[f"{key}_logits"].argmax(-1) == labels[key]).mean()
        for key in ("start", "end")
    )
    assert found["accuracy"] == pytest.approx((start + end) / 2)
    assert found["end_accuracy"] == pytest.approx(end)


# === Compiling ===


@pytest.mark.slow
def test_a_saved_model_has_the_losses_and_metrics_of_its_compilation(
    rng, tmp_path
):
    batch = batch_of("sequences", rng)
    arguments = dict(
        loss=ak.FocalCrossEntropy(2.0), metrics=[metrics.F1Score(name="f1")]
    )
    model = make_model("sequences", **arguments)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    found, expected = (
        m.evaluate(*batch[:2], verbose=0, return_dict=True)
        for m in (loaded, model)
    )
    assert found.keys() == expected.keys() and "f1" in found
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)


class NoWeights(metrics.Metric):
    def update_state(self, y_true, y_pred):
        pass


@pytest.mark.parametrize(
    "kind, arguments, message",
    [
        ("sequences", {"loss": "no_loss"}, "`losses` must be.*'no_loss'"),
        ("sequences", {"metrics": [3]}, "`metrics` must be.*Received: 3"),
        (
            "sequences",
            {"loss": losses.CategoricalCrossentropy()},
            r"must take logits.*CategoricalCrossentropy\(from_logits=True\)",
        ),
        ("sequences", {"loss_weights": [2]}, "`loss_weights` cannot be given"),
        ("sequences", {"loss": {"x": squared}}, "'label', 'logits'.*'x'"),
        ("answerable", {"loss": squared}, "dictionary by objective.*'span'"),
        ("spans", {"loss": {"start": squared, "end": squared}}, "one loss for"),
        ("answerable", {"metrics": ["accuracy"]}, "dictionary by objective"),
        ("regression", {"metrics": ["accuracy"]}, "'accuracy' for a regress"),
        ("sequences", {"metrics": [NoWeights()]}, "take `sample_weight`"),
        (
            "sequences",
            {"metrics": [metrics.Mean(name="loss")]},
            "'loss', the name of another metric",
        ),
    ],
)
def test_losses_and_metrics_that_do_not_fit_are_refused(
    kind, arguments, message
):
    with pytest.raises(ValueError, match=message):
        make_model(kind, **arguments)


def test_a_loss_without_a_value_for_each_target_is_refused(rng):
    batch = batch_of("tokens", rng)
    model = make_model("tokens", loss=lambda y, z: ops.mean(squared(y, z)))
    with pytest.raises(ValueError, match="one value for each target"):
        model.fit(Batches([batch]), verbose=0)


def test_class_ids_out_of_range_have_no_loss_that_looks_right(rng):
    inputs, labels, _ = batch_of("sequences", rng)
    labels["label"][0] = CLASSES
    model = make_model("sequences", loss=lambda y, z: ops.sum(z, axis=-1))
    assert np.isnan(model.evaluate(inputs, labels, verbose=0)[0])
