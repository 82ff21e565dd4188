"""Names around a model change neither weight decay nor learning rates."""

import contextlib

import keras
import pytest

import albert_keras as ak
from albert_keras.optimizers import Lamb, adamw, layer_wise_factors
from albert_keras.optimizers.layer_wise_decay import learning_rate_factor
from albert_keras.training.steps.random_state import is_random_state

pytestmark = pytest.mark.heavy

OUTER = ["bias", "layer_norm", "embeddings", "encoder", "seed_generator_state"]


def make(config, **kwargs):
    backbone = ak.AlbertBackbone.from_albert_config(config, **kwargs)
    return ak.AlbertForPretraining(backbone)


def settings(model):
    """The optimizers' treatment of each variable, in order."""
    variables = model.trainable_variables
    lamb = Lamb(0.01)
    lamb.build(variables)
    adam = adamw(variables)
    adam.build(variables)
    factors = layer_wise_factors(1, 0.5)
    return [
        (
            lamb.decays(variable),
            lamb.adapts(variable),
            adam._use_weight_decay(variable),
            learning_rate_factor(factors, variable),
        )
        for variable in variables
    ]


def test_name_scopes_and_a_models_name_change_nothing(tiny_config):
    expected = settings(make(tiny_config))
    assert len(set(expected)) == 6
    with contextlib.ExitStack() as stack:
        for name in OUTER:
            stack.enter_context(keras.name_scope(name))
        scoped = make(tiny_config)
    assert scoped.weights[0].path.startswith("/".join(OUTER))
    assert settings(scoped) == expected
    assert not any(is_random_state(v) for v in scoped.weights)
    for name in ("layer_norm", "embeddings"):
        assert settings(make(tiny_config, name=name)) == expected
