"""AdamW decays only matrices, also after it was saved and loaded."""

import keras
import numpy as np
import pytest

from albert_keras.optimizers import adamw


def assert_that_only_matrices_shrink(optimizer, variables):
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    optimizer.apply([keras.ops.zeros(v.shape) for v in variables], variables)
    for variable in variables:
        expected = 0.95 if len(variable.shape) == 2 else 1.0
        np.testing.assert_allclose(variable, expected, rtol=1e-6)


def test_only_matrices_shrink_when_the_gradient_is_zero(pretraining_model):
    variables = pretraining_model.trainable_variables
    optimizer = adamw(variables, learning_rate=0.1, weight_decay=0.5)
    assert_that_only_matrices_shrink(optimizer, variables)


@pytest.mark.parametrize("factors", [(), (("nowhere", 0.5),)])
def test_a_loaded_model_decays_only_matrices(
    pretraining_model, tmp_path, factors
):
    pretraining_model.compile(
        adamw(
            pretraining_model.trainable_variables,
            learning_rate=0.1,
            weight_decay=0.5,
            learning_rate_factors=factors,
        )
    )
    pretraining_model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_that_only_matrices_shrink(
        loaded.optimizer, loaded.trainable_variables
    )


def test_exclusions_of_keras_count_as_well(pretraining_model):
    variables = pretraining_model.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    optimizer = adamw(variables, learning_rate=0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    optimizer.apply([keras.ops.zeros(v.shape) for v in variables], variables)
    for variable in variables:
        shrinks = len(variable.shape) == 2 and variable.name != "kernel"
        np.testing.assert_allclose(
            variable, 0.95 if shrinks else 1.0, rtol=1e-6
        )
