"""Losses of layers, padding of batches, and the order of metrics."""

import keras
import numpy as np
import pytest

import albert_keras as ak
from tests.task_models import CONFIG, LENGTH, make_inputs

pytestmark = pytest.mark.heavy

LABELS = np.array([0, 1, 2, 1, 0, 2, 2, 1, 0])


class WithLogitLoss(ak.AlbertForSequenceClassification):
    """Adds the mean of the squared logits to its losses."""

    def call(self, inputs, training=False):
        outputs = super().call(inputs, training=training)
        self.add_loss(keras.ops.mean(keras.ops.square(outputs["logits"])))
        return outputs


def regularize(variable, l2):
    setattr(variable, "regularizer", keras.regularizers.L2(l2))  # noqa: B010


def make_model(
    steps, of=ak.AlbertForSequenceClassification, l2=0.0, run_eagerly=True
):
    keras.utils.set_random_seed(0)
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    model = of(backbone, num_classes=3, dropout=0.0)
    if l2:
        regularize(model.classifier.kernel, l2)
    model.compile(
        keras.optimizers.SGD(0.1),
        gradient_accumulation_steps=steps,
        run_eagerly=run_eagerly,
    )
    return model


def assert_same(one, other):
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-6)


def update(model, rows=8):
    logs = model.fit(
        make_inputs(rows),
        LABELS[:rows],
        batch_size=rows,
        shuffle=False,
        verbose=0,
    ).history
    return {name: value[0] for name, value in logs.items()}


@pytest.mark.parametrize("steps", [1, 4])
def test_a_regularizer_adds_its_value_and_its_gradient(steps):
    plain, regularized = make_model(steps), make_model(steps, l2=0.3)
    kernel = np.array(plain.classifier.kernel)
    penalty = 0.3 * np.square(kernel).sum()
    before, after = update(plain), update(regularized)
    assert after["loss"] == pytest.approx(before["loss"] + penalty, rel=1e-5)
    assert after["label_loss"] == pytest.approx(before["label_loss"], rel=1e-5)
    step = np.array(plain.classifier.kernel) - np.array(
        regularized.classifier.kernel
    )
    np.testing.assert_allclose(step, 0.1 * 2 * 0.3 * kernel, atol=1e-5)


@pytest.mark.slow
def test_added_losses_do_not_depend_on_the_split_and_count_in_evaluation():
    # The second in a graph, with a loop over the micro-batches.
    models = [
        make_model(steps, WithLogitLoss, run_eagerly=steps == 1)
        for steps in (1, 2)
    ]
    logits = np.array(models[0](make_inputs(8))["logits"])
    logs = [update(model) for model in models]
    for log in logs:
        assert log["loss"] == pytest.approx(
            log["label_loss"] + np.square(logits).mean(), rel=1e-5
        )
    assert_same(*(model.get_weights() for model in models))
    inputs = make_inputs(9)
    logits = np.array(models[0](inputs)["logits"])
    results = models[0].evaluate(
        inputs, LABELS, batch_size=4, verbose=0, return_dict=True
    )
    assert results["loss"] == pytest.approx(
        results["label_loss"] + np.square(logits).mean(), rel=1e-5
    )


@pytest.mark.parametrize("rows", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_batch_that_cannot_be_cut_evenly_gives_the_same_update(rows):
    whole, padded = make_model(1), make_model(4)
    one, other = update(whole, rows), update(padded, rows)
    assert other == pytest.approx(one, rel=1e-4)
    assert_same(whole.get_weights(), padded.get_weights())


def test_evaluation_returns_the_loss_first_and_metrics_in_their_order():
    keras.utils.set_random_seed(0)
    model = ak.AlbertForPretraining(ak.AlbertBackbone.from_config(CONFIG))
    model.compile("sgd", run_eagerly=True)
    inputs = make_inputs(4, more=("mask_positions",))
    y = {"mlm": np.full((4, 3), 7), "sop": np.array([0, 1, 1, 0])}
    results = model.evaluate(inputs, y, verbose=0, return_dict=True)
    names = [name for name in model.metrics_names if name in results]
    assert names[0] == "loss" and set(names) == set(results)
    expected = pytest.approx([results[name] for name in names], rel=1e-5)
    assert model.evaluate(inputs, y, verbose=0) == expected
    assert model.test_on_batch(inputs, y) == expected
    assert model.train_on_batch(inputs, y)[: len(names)] == expected


@pytest.mark.slow
def test_datasets_of_columns_train_as_arrays_do():
    tf = pytest.importorskip("tensorflow")
    inputs, labels = make_inputs(8), LABELS[:8, None].astype("float32")
    weights = np.arange(8, dtype="float32")[:, None]
    # In a graph the size of a dataset's batches is unknown.
    arrays, dataset = make_model(2), make_model(2, run_eagerly=False)
    arrays.fit(
        inputs,
        labels,
        sample_weight=weights,
        batch_size=6,
        shuffle=False,
        verbose=0,
    )
    rows = tf.data.Dataset.from_tensor_slices((inputs, labels, weights))
    dataset.fit(rows.batch(6), shuffle=False, verbose=0)
    assert_same(arrays.get_weights(), dataset.get_weights())


def test_datasets_with_weights_of_another_shape_are_refused():
    tf = pytest.importorskip("tensorflow")
    weights = np.ones((8, LENGTH), "float32")
    rows = tf.data.Dataset.from_tensor_slices(
        (make_inputs(8), LABELS[:8], weights)
    )
    with pytest.raises(ValueError, match=r"'label'.*\([?4],\).*\([?4], 5\)"):
        make_model(1, run_eagerly=False).fit(
            rows.batch(4), shuffle=False, verbose=0
        )
