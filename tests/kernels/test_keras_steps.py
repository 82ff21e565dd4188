"""Models of Keras around a backbone use fused kernels where that is safe."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import albert_keras as ak
from albert_keras.kernels import (
    can_fuse,
    fused_kernels,
    plain_kernels,
    reference,
    tensorflow_cpu,
)
from albert_keras.layers import cross_layer_sharing
from tests.marks import others_slow
from tests.task_models import CONFIG, make_inputs

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not can_fuse(),
        reason="Fused kernels need TensorFlow on a CPU and a C++ compiler.",
    ),
]
LABELS = np.array([0.0, 1.0, 0.0, 1.0])


@pytest.fixture
def used(monkeypatch):
    """The kernels of each call of an encoder since the last `take(used)`."""
    kernels, choose = [], cross_layer_sharing.choose_kernels

    def note(dtype):
        kernels.append(choose(dtype))
        return kernels[-1]

    monkeypatch.setattr(cross_layer_sharing, "choose_kernels", note)
    return kernels


def take(used):
    kernels = set(used)
    used.clear()
    return kernels


@pytest.fixture
def inputs():
    inputs = make_inputs()
    inputs["padding_mask"][1:, 3:] = 0
    return inputs


def compiled(model, **kwargs):
    kwargs = {"run_eagerly": True, **kwargs}
    model.compile(keras.optimizers.SGD(0.1), loss="mse", **kwargs)
    return model


def functional(**kwargs):
    keras.utils.set_random_seed(0)
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in make_inputs()
    }
    pooled = ak.AlbertBackbone.from_config(CONFIG)(inputs)["pooled_output"]
    return compiled(
        keras.Model(inputs, keras.layers.Dense(1)(pooled)), **kwargs
    )


class Outer(keras.Model):
    def __init__(self):
        super().__init__()
        self.backbone = ak.AlbertBackbone.from_config(CONFIG)
        self.head = keras.layers.Dense(1)

    def call(self, inputs, training=False):
        pooled = self.backbone(inputs, training=training)["pooled_output"]
        return self.head(pooled)


class OwnStep(Outer):
    def train_step(self, data):
        x, y, *_ = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.apply(
            tape.gradient(loss, [v.value for v in self.trainable_variables]),
            self.trainable_variables,
        )
        return {"loss": loss}


class Penalized(Outer):
    """Adds the squared gradient of the output to the loss."""

    def call(self, inputs, training=False):
        weight = self.backbone.pooler.kernel.value
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(super().call(inputs, training=training))
        gradient = tape.gradient(value, weight)
        self.add_loss(tf.reduce_sum(tf.square(gradient)))
        return super().call(inputs, training=training)


class Compiled(Outer):
    """Keeps what it traced, for whatever calls it next."""

    @tf.function(autograph=False)
    def pooled(self, inputs):
        return self.backbone(inputs)["pooled_output"]

    def call(self, inputs, training=False):
        return self.head(self.pooled(inputs))


@pytest.mark.parametrize("run_eagerly", others_slow([False, True]))
@pytest.mark.slow
def test_fit_evaluate_and_predict_of_keras_are_fused(inputs, used, run_eagerly):
    model, plain = (functional(run_eagerly=run_eagerly) for _ in range(2))
    take(used)
    losses = [model.fit(inputs, LABELS, verbose=0).history["loss"][0]]
    assert take(used) == {tensorflow_cpu}
    losses.append(model.evaluate(inputs, LABELS, verbose=0))
    assert take(used) == {tensorflow_cpu}
    predicted = model.predict(inputs, verbose=0)
    assert take(used) == {tensorflow_cpu}
    with plain_kernels():
        expected = [plain.fit(inputs, LABELS, verbose=0).history["loss"][0]]
        expected.append(plain.evaluate(inputs, LABELS, verbose=0))
        np.testing.assert_allclose(
            predicted, plain.predict(inputs, verbose=0), atol=1e-5
        )
    assert take(used) == {reference}
    assert losses == pytest.approx(expected, rel=1e-4)
    for one, other in zip(
        model.get_weights(), plain.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_an_export_after_fit_has_operations_of_tensorflow_only(
    inputs, used, tmp_path
):
    model = functional()
    model.fit(inputs, LABELS, verbose=0)
    assert tensorflow_cpu in take(used)
    model.export(tmp_path / "model", verbose=False)
    assert take(used) == {reference}


def test_calls_outside_of_the_steps_of_keras_are_plain(inputs, used):
    model = compiled(Outer())
    model(inputs)
    tf.function(model)({k: tf.constant(v) for k, v in inputs.items()})
    own = compiled(OwnStep())
    own.train_on_batch(inputs, LABELS)
    assert take(used) == {reference}
    own.test_on_batch(inputs, LABELS)
    model.train_on_batch(inputs, LABELS)
    assert take(used) == {tensorflow_cpu}
    with fused_kernels():
        own.train_on_batch(inputs, LABELS)
    assert take(used) == {tensorflow_cpu}


def test_gradients_of_gradients_in_a_call_are_plain(inputs, used):
    """Also within a step of Keras, which differentiates once more."""
    ends = []
    for kernels in (contextlib.nullcontext, plain_kernels):
        keras.utils.set_random_seed(0)
        model = compiled(Penalized())
        with kernels():
            model.train_on_batch(inputs, LABELS)
        ends.append(model.get_weights())
    assert take(used) == {reference}
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_functions_that_are_kept_and_those_of_xla_are_plain(inputs, used):
    compiled(Compiled()).predict_on_batch(inputs)
    tensors = {k: tf.constant(v) for k, v in inputs.items()}
    step = tf.function(compiled(Outer()).predict_step, jit_compile=True)
    step((tensors,))
    assert take(used) == {reference}
