"""AdamW decays only matrices."""

import keras
import numpy as np

from albert_keras.optimizers import adamw


def test_only_matrices_shrink_when_the_gradient_is_zero(pretraining_model):
    variables = pretraining_model.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    optimizer = adamw(variables, learning_rate=0.1, weight_decay=0.5)
    optimizer.apply([keras.ops.zeros(v.shape) for v in variables], variables)
    for variable in variables:
        expected = 0.95 if len(variable.shape) == 2 else 1.0
        np.testing.assert_allclose(variable, expected, rtol=1e-6)
