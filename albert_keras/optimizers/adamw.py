"""AdamW with ALBERT's exclusions from weight decay."""

import keras

from albert_keras.optimizers.float32_moments import is_low_precision
from albert_keras.optimizers.lamb import DEFAULT_EXCLUSIONS
from albert_keras.optimizers.layer_wise_decay import LayerWiseAdamW
from albert_keras.optimizers.weight_decay_exclusions import (
    ExcludesFromWeightDecay,
)


@keras.saving.register_keras_serializable("albert_keras")
class AdamW(ExcludesFromWeightDecay, keras.optimizers.AdamW):
    """Keras's AdamW with the argument `weight_decay_exclusions`."""


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

    The exclusions are saved with the model, so that a loaded optimizer has
    them, too.

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
        A `keras.optimizers.AdamW`, which is a `LayerWiseAdamW` with
        `learning_rate_factors` or for variables in bfloat16 or float16.
    """
    optimizer_class = AdamW
    if learning_rate_factors or any(map(is_low_precision, variables)):
        optimizer_class = LayerWiseAdamW
        kwargs["learning_rate_factors"] = learning_rate_factors
    return optimizer_class(
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        epsilon=epsilon,
        weight_decay_exclusions=weight_decay_exclusions,
        **kwargs,
    )
