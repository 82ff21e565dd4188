"""Layer-wise decay lowers the learning rate of lower layers."""

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.optimizers import Lamb, adamw, layer_wise_factors
from albert_keras.optimizers.layer_wise_decay import LayerWiseAdamW

pytestmark = pytest.mark.heavy


@pytest.fixture
def model(tiny_config):
    fields = {**tiny_config.to_dict(), "num_groups": 2}
    return ak.AlbertForSequenceClassification(
        ak.AlbertBackbone(**fields), dropout=0.0
    )


def expected_factor(path):
    """The factor for decay 0.5 and two groups."""
    if "embeddings/" in path:
        return 0.125
    if "group_0" in path:
        return 0.25
    return 0.5 if "group_1" in path else 1.0


def moves(model, start, optimizer):
    """Returns the change of each variable in one update, by path."""
    model.set_weights(start)
    variables = model.trainable_variables
    optimizer.build(variables)
    gradients = [keras.ops.ones_like(v) * 0.3 for v in variables]
    before = [np.array(v) for v in variables]
    optimizer.apply(gradients, variables)
    return {
        v.path: np.array(v) - old
        for v, old in zip(variables, before, strict=True)
    }


@pytest.mark.parametrize("kind", ["adamw", "lamb"])
def test_each_part_moves_by_its_factor(model, kind):
    start = model.get_weights()

    def make(factors):
        shared = dict(
            learning_rate=0.1,
            weight_decay=0.1,
            learning_rate_factors=factors,
        )
        if kind == "lamb":
            return Lamb(**shared)
        return adamw(model.trainable_variables, **shared)

    plain = moves(model, start, make(()))
    layered = moves(model, start, make(layer_wise_factors(2, 0.5)))
    factors = set()
    for path, move in plain.items():
        factor = expected_factor(path)
        factors.add(factor)
        np.testing.assert_allclose(
            layered[path], factor * move, rtol=1e-4, atol=1e-6, err_msg=path
        )
    assert factors == {0.125, 0.25, 0.5, 1.0}


def test_without_decay_the_update_is_keras_own(model):
    assert layer_wise_factors(2, 1.0) == ()
    optimizer = adamw(model.trainable_variables, learning_rate_factors=())
    assert not isinstance(optimizer, LayerWiseAdamW)
    assert type(optimizer).update_step is keras.optimizers.AdamW.update_step


def test_the_factors_are_saved_with_the_optimizer(model, tmp_path):
    factors = layer_wise_factors(2, 0.5)
    for optimizer in (
        Lamb(0.1, learning_rate_factors=factors),
        adamw(model.trainable_variables, learning_rate_factors=factors),
    ):
        config = keras.saving.serialize_keras_object(optimizer)
        again = keras.saving.deserialize_keras_object(config)
        assert [tuple(pair) for pair in again.learning_rate_factors] == list(
            factors
        )


@pytest.mark.parametrize("decay", [0, -1, 1.1])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match="`decay` must be above 0"):
        layer_wise_factors(1, decay)
