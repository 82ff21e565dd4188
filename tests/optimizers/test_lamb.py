"""LAMB equals its formula and TensorFlow Addons, and works in Keras."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertForPretraining
from albert_keras.kernels import can_fuse, fused_kernels, plain_kernels
from albert_keras.optimizers import Lamb, WarmupPolynomialDecay
from tests.references.lamb import ReferenceLamb

RECORD = json.loads(
    (Path(__file__).parents[1] / "references" / "tfa_lamb.json").read_text()
)
# Argument names of TensorFlow Addons, and of `Lamb`.
ARGUMENTS = {
    "exclude_from_weight_decay": "weight_decay_exclusions",
    "exclude_from_layer_adaptation": "layer_adaptation_exclusions",
}


class Named(keras.layers.Layer):
    """A layer with variables whose paths end in the given names."""

    def __init__(self, values):
        super().__init__(name="model")
        self.named = {}
        for path, value in values.items():
            scope, name = path.split("/")
            with keras.name_scope(scope):
                variable = keras.Variable(np.array(value, "float32"), name=name)
            self.named[path] = variable


@pytest.fixture(params=["plain", "fused"])
def kernels(request):
    """Runs the update in operations of Keras, and as the fused kernel."""
    if request.param == "fused" and not can_fuse():
        pytest.skip("LAMB's kernel needs TensorFlow on a CPU and a compiler.")
    chosen = {"plain": plain_kernels, "fused": fused_kernels}
    with chosen[request.param]():
        yield request.param


def apply(optimizer, variables, gradients):
    optimizer.apply(
        [keras.ops.array(gradients[name], "float32") for name in variables],
        list(variables.values()),
    )


def assert_follows(references, weights, optimizer, variables, rng, steps, rtol):
    """Compares variables with the references after each of several steps."""
    for _ in range(steps):
        gradients = {k: rng.normal(size=v.shape) for k, v in weights.items()}
        apply(optimizer, variables, gradients)
        for name, reference in references.items():
            weights[name] = reference.step(weights[name], gradients[name])
            np.testing.assert_allclose(
                variables[name], weights[name], rtol=rtol, atol=1e-6
            )


@pytest.mark.parametrize("case", RECORD["cases"])
def test_twenty_steps_equal_those_recorded_from_tensorflow_addons(
    case, kernels
):
    recorded = RECORD["cases"][case]
    arguments = {
        ARGUMENTS.get(name, name): value
        for name, value in recorded["arguments"].items()
    }
    arguments.setdefault("weight_decay_exclusions", ())
    optimizer = Lamb(**arguments)
    variables = Named(RECORD["start"]).named
    assert len(RECORD["gradients"]) == 20
    for step, gradients in enumerate(RECORD["gradients"]):
        apply(optimizer, variables, gradients)
        for name, variable in variables.items():
            expected = np.array(recorded["weights"][step][name])
            np.testing.assert_allclose(
                variable,
                expected,
                rtol=1e-5,
                atol=1e-5 * np.abs(expected).max(),
                err_msg=f"{name} after step {step + 1}",
            )


@pytest.mark.parametrize("bias_correction", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_the_update_equals_the_numpy_reference(
    rng, kernels, bias_correction, weight_decay
):
    start = {
        "dense/kernel": rng.normal(size=(4, 3)),
        "dense/bias": np.zeros(3),
        "layer_norm/gamma": np.ones(3),
    }
    variables = Named(start).named
    settings = dict(
        learning_rate=0.02,
        weight_decay=weight_decay,
        bias_correction=bias_correction,
    )
    optimizer = Lamb(**settings)
    references = {
        name: ReferenceLamb(
            **settings,
            decay=name == "dense/kernel",
            adapt=name == "dense/kernel",
        )
        for name in start
    }
    assert_follows(references, start, optimizer, variables, rng, 10, 2e-5)


def test_variables_of_any_size_equal_the_numpy_reference(rng, kernels):
    """Several chunks, one full chunk, a scalar, and no elements."""
    start = {
        f"{name}/kernel": rng.normal(size=shape)
        for name, shape in dict(a=(90, 301), b=(8192,), c=(), d=(0,)).items()
    }
    variables = Named(start).named
    settings = dict(learning_rate=0.1, weight_decay=0.1)
    optimizer = Lamb(**settings, learning_rate_factors=[("a/", 0.5)])
    references = {
        name: ReferenceLamb(**settings | dict(learning_rate=rate))
        for name, rate in zip(start, (0.05, 0.1, 0.1, 0.1), strict=True)
    }
    assert_follows(references, start, optimizer, variables, rng, 3, 1e-5)


def test_what_was_read_before_an_update_stays_as_it_was(rng, kernels):
    variables = Named({"dense/kernel": rng.normal(size=(3, 3))}).named
    (variable,) = variables.values()
    before = variable.value.read_value()
    copy = np.array(before, copy=True)
    apply(Lamb(0.1), variables, {"dense/kernel": np.ones((3, 3))})
    np.testing.assert_array_equal(before, copy)
    assert np.all(np.array(variable) != copy)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_reaches_every_clipped_weight(
    kernels, wrong
):
    variables = Named({"a/kernel": np.ones(2), "b/kernel": np.ones(2)}).named
    gradients = {"a/kernel": np.array([wrong, 1.0]), "b/kernel": np.ones(2)}
    apply(Lamb(0.1, global_clipnorm=1.0), variables, gradients)
    for variable in variables.values():
        assert np.isnan(np.array(variable)).all()


def test_exclusions_of_an_albert_are_its_biases_and_layer_norms(tiny_config):
    model = AlbertForPretraining(AlbertBackbone.from_config(tiny_config))
    optimizer = Lamb(0.01)
    optimizer.build(model.trainable_variables)
    excluded = {
        v.path for v in model.trainable_variables if not optimizer.decays(v)
    }
    vectors = {v.path for v in model.trainable_variables if len(v.shape) == 1}
    assert excluded == vectors
    assert all(
        optimizer.adapts(v) == optimizer.decays(v)
        for v in model.trainable_variables
    )


def test_what_keras_was_told_to_exclude_is_not_decayed():
    variables = Named({"dense/kernel": np.ones((2, 2))}).named
    optimizer = Lamb(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=list(variables.values()))
    apply(optimizer, variables, {"dense/kernel": np.zeros((2, 2))})
    np.testing.assert_array_equal(variables["dense/kernel"], np.ones((2, 2)))


def test_the_global_norm_is_clipped_over_all_variables(rng, kernels):
    start = {"a/kernel": rng.normal(size=(3,)), "b/kernel": rng.normal(size=2)}
    gradients = {"a/kernel": np.full(3, 30.0), "b/kernel": np.full(2, -40.0)}
    norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    clipped = {name: g / norm for name, g in gradients.items()}
    results = []
    for optimizer, given in (
        (Lamb(0.1, global_clipnorm=1.0, epsilon=0.1), gradients),
        (Lamb(0.1, epsilon=0.1), clipped),
    ):
        variables = Named(start).named
        apply(optimizer, variables, given)
        results.append(
            np.concatenate([np.array(v) for v in variables.values()])
        )
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_the_configuration_gives_back_an_equal_optimizer():
    optimizer = Lamb(
        learning_rate=WarmupPolynomialDecay(0.1, 2, 10, 0.01, 2.0),
        beta_1=0.8,
        beta_2=0.99,
        epsilon=1e-5,
        weight_decay=0.2,
        bias_correction=False,
        weight_decay_exclusions=["bias"],
        layer_adaptation_exclusions=["table"],
        global_clipnorm=3.0,
    )
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert copy.get_config() == optimizer.get_config()
    assert copy.global_clipnorm == 3.0 and copy.weight_decay == 0.2


def test_loss_scaling_skips_an_overflow_and_changes_nothing_else(rng, kernels):
    start = {"dense/kernel": rng.normal(size=(3, 3))}
    gradient = rng.normal(size=(3, 3)) * 0.01
    plain, scaled = (Named(start).named for _ in range(2))
    apply(Lamb(0.1, global_clipnorm=0.01), plain, {"dense/kernel": gradient})

    optimizer = keras.optimizers.LossScaleOptimizer(
        Lamb(0.1, global_clipnorm=0.01), initial_scale=1024.0
    )
    apply(optimizer, scaled, {"dense/kernel": np.full((3, 3), np.inf)})
    np.testing.assert_array_equal(
        scaled["dense/kernel"], np.float32(start["dense/kernel"])
    )
    scale = float(optimizer.dynamic_scale)
    assert scale == 512.0
    apply(optimizer, scaled, {"dense/kernel": gradient * scale})
    np.testing.assert_allclose(
        scaled["dense/kernel"], plain["dense/kernel"], rtol=1e-5
    )


@pytest.mark.heavy
def test_it_trains_any_keras_model_lookups_included(rng):
    model = keras.Sequential(
        [
            keras.layers.Embedding(20, 8),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(Lamb(0.05), loss="mse")
    x = rng.integers(0, 20, (64, 5))
    y = (x == 3).sum(axis=1)
    history = model.fit(x, y, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
