"""Rematerialization does not change the gradient."""

import dataclasses

import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertForPretraining
from albert_keras.layers.transformer_block import TransformerBlock
from tests.batches import Batches, make_batch

pytestmark = pytest.mark.heavy


def train(config, remat, run_eagerly=False):
    keras.utils.set_random_seed(0)
    model = AlbertForPretraining(AlbertBackbone.from_config(config))
    model.backbone.remat = remat
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=run_eagerly)
    rng = np.random.default_rng(0)
    batches = Batches([make_batch(rng, config) for _ in range(2)])
    history = model.fit(batches, shuffle=False, verbose=0)
    return model.get_weights(), history.history


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        pytest.param(
            dict(num_groups=2, pre_layer_norm=True), marks=pytest.mark.slow
        ),
    ],
    ids=str,
)
def test_weights_and_metrics_are_those_without_it(tiny_config, changes):
    config = dataclasses.replace(tiny_config, **changes)
    weights, metrics = train(config, remat=True)
    expected_weights, expected_metrics = train(
        config, remat=False, run_eagerly=True
    )
    for one, other in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for name, expected in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], expected, rtol=1e-5)


@pytest.mark.slow
def test_each_layer_is_computed_twice_while_training_only(
    tiny_config, calls_of
):
    calls = calls_of(TransformerBlock, "apply")
    backbone = AlbertBackbone.from_config(tiny_config)
    backbone.remat = True
    backbone({"token_ids": np.ones((1, 4), "int32")})
    assert len(calls) == tiny_config.num_layers
    calls.clear()
    train(tiny_config, remat=True)
    assert len(calls) == 2 * tiny_config.num_layers


@pytest.mark.parametrize("name", ["hidden_dropout", "attention_dropout"])
def test_it_is_refused_with_dropout(tiny_config, name):
    config = dataclasses.replace(tiny_config, **{name: 0.1})
    backbone = AlbertBackbone.from_config(config)
    with pytest.raises(ValueError, match=f"without dropout.*{name}=0.1"):
        backbone.remat = True
    backbone.remat = False
