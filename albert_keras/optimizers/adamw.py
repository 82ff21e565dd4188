"""AdamW with ALBERT's exclusions."""

import re

import keras

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
    """Keras's AdamW, decaying neither biases nor layer normalization.

    Keras matches exclusions on `variable.name`, which says "gamma" but not
    whose; so the variables are picked here by their path and handed over.

    Args:
        variables: The variables to be trained: `model.trainable_variables`.
        learning_rate: A float or a `LearningRateSchedule`.
        weight_decay: Decoupled decay (Loshchilov and Hutter 2019,
            arXiv:1711.05101), times the learning rate.
        epsilon: Added to the root; 1e-6 in Google's ALBERT.
        weight_decay_exclusions: Regular expressions searched in
            `variable.path`.
        learning_rate_factors: See `layer_wise_factors`.
        **kwargs: Further arguments of `keras.optimizers.AdamW`.

    Returns:
        A `keras.optimizers.AdamW`.
    """
    make = keras.optimizers.AdamW
    if learning_rate_factors:
        make, kwargs["learning_rate_factors"] = (
            LayerWiseAdamW,
            learning_rate_factors,
        )
    optimizer = make(
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
