"""AdamW with ALBERT's exclusions from weight decay."""

import re

import keras

from albert_keras.optimizers.float32_moments import is_low_precision
from albert_keras.optimizers.lamb import DEFAULT_EXCLUSIONS
from albert_keras.optimizers.layer_wise_decay import LayerWiseAdamW


def adamw(
    variables,
    learning_rate=5e-5,
    weight_decay=0.01,
    epsilon=1e-6,
    weight_decay_exclusions=DEFAULT_EXCLUSIONS,
    learning_rate_factors=(),
    **kwargs,
):
    """Creates an AdamW that decays neither biases nor layer normalization.

    Keras matches exclusions with `variable.name`, which is "gamma" without its
    layer. So the variables are selected here, by path, and excluded as objects.

    Args:
        variables: The variables to train: `model.trainable_variables`.
        learning_rate: A float or a `LearningRateSchedule`.
        weight_decay: Decoupled weight decay (Loshchilov and Hutter 2019,
            arXiv:1711.05101); multiplied by the learning rate.
        epsilon: Added to the square root; 1e-6 in Google's ALBERT.
        weight_decay_exclusions: Regular expressions searched in
            `variable.path`.
        learning_rate_factors: See `layer_wise_factors`.
        **kwargs: Further arguments of `keras.optimizers.AdamW`.

    Returns:
        A `keras.optimizers.AdamW`, or a `LayerWiseAdamW` with
        `learning_rate_factors` or for variables in bfloat16 or float16.
    """
    variables = list(variables)
    optimizer_class = keras.optimizers.AdamW
    if learning_rate_factors or any(map(is_low_precision, variables)):
        optimizer_class = LayerWiseAdamW
        kwargs["learning_rate_factors"] = learning_rate_factors
    optimizer = optimizer_class(
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        epsilon=epsilon,
        **kwargs,
    )
    optimizer.exclude_from_weight_decay(
        var_list=[
            variable
            for variable in variables
            if any(re.search(p, variable.path) for p in weight_decay_exclusions)
        ]
    )
    return optimizer
