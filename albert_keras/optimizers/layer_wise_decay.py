"""Layer-wise decay of the learning rate."""

import re

import keras
from keras import ops

from albert_keras.optimizers.float32_moments import (
    Float32Moments,
    is_low_precision,
)
from albert_keras.optimizers.weight_decay_exclusions import (
    ExcludesFromWeightDecay,
)


def layer_wise_factors(num_groups, decay):
    """Returns the factors of the learning rate for the parts of ALBERT.

    Layer-wise decay (Howard and Ruder 2018, arXiv:1801.06146, section 3.2)
    multiplies the rate by `decay` with each layer below the head. ALBERT's
    layers share weights, so here it is with each group: heads and pooler have
    factor 1, the last group `decay`, the group below `decay` squared, and so
    on down to the embeddings.

    Args:
        num_groups: `num_groups` of the `AlbertConfig`.
        decay: Above 0 and at most 1; 1 is no decay.

    Returns:
        Pairs of a regular expression, searched in `variable.path`, and a
        factor. The first match counts; variables without a match have 1. They
        match only the ends of paths: the names of outer layers and name
        scopes do not matter.

    Raises:
        ValueError: If `decay` is out of range.
    """
    if not 0 < decay <= 1:
        raise ValueError(
            f"`decay` must be above 0 and at most 1. Received: {decay}."
        )
    if decay == 1:
        return ()
    layer = r"(self_attention/)?[^/]+/[^/]+$"
    groups = (
        (
            rf"encoder/group_{group}_block_\d+/{layer}",
            decay ** (num_groups - group),
        )
        for group in range(num_groups)
    )
    embeddings = r"embeddings/([^/]+_embedding|(layer_norm|projection)/[^/]+)$"
    return (*groups, (embeddings, decay ** (num_groups + 1)))


def learning_rate_factor(factors, variable):
    """Returns the factor of a Keras variable, see `layer_wise_factors`."""
    for pattern, factor in factors:
        if re.search(pattern, variable.path):
            return factor
    return 1.0


@keras.saving.register_keras_serializable("albert_keras")
class LayerWiseAdamW(
    ExcludesFromWeightDecay, Float32Moments, keras.optimizers.AdamW
):
    """Keras's AdamW with a learning rate for each part of the model.

    Weights in bfloat16 or float16 are updated in float32.

    Args:
        learning_rate_factors: See `layer_wise_factors`. They also apply to
            the weight decay, which is multiplied by the learning rate.
        *args, **kwargs: `weight_decay_exclusions`, see
            `ExcludesFromWeightDecay`, and the arguments of
            `keras.optimizers.AdamW`.
    """

    def __init__(self, *args, learning_rate_factors=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.learning_rate_factors = tuple(
            (pattern, float(factor))
            for pattern, factor in learning_rate_factors
        )

    def update_step(self, gradient, variable, learning_rate):
        # Some backends pass a variable of theirs, which has no path.
        index = self._get_variable_index(variable)
        factor = learning_rate_factor(
            self.learning_rate_factors, self._trainable_variables[index]
        )
        if is_low_precision(variable):
            self._float32_step(gradient, variable, learning_rate * factor)
        else:
            super().update_step(gradient, variable, learning_rate * factor)

    def _float32_step(self, gradient, variable, learning_rate):
        """Adam's step. Keras computes 1 - beta_2 in bfloat16, which is 0."""
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        gradient = ops.cast(ops.convert_to_tensor(gradient), "float32")
        step = ops.cast(self.iterations + 1, "float32")
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        if self.amsgrad:
            highest = self._velocity_hats[index]
            self.assign(highest, ops.maximum(highest, v))
            v = highest
        rate = ops.cast(learning_rate, "float32") * ops.sqrt(
            1 - ops.power(self.beta_2, step)
        )
        rate = rate / (1 - ops.power(self.beta_1, step))
        self.assign_sub(variable, rate * m / (ops.sqrt(v) + self.epsilon))

    def _apply_weight_decay(self, variables):
        for variable in variables:
            if self.weight_decay and self._use_weight_decay(variable):
                factor = learning_rate_factor(
                    self.learning_rate_factors, variable
                )
                rate = ops.cast(self.learning_rate, variable.dtype) * factor
                variable.assign(variable * (1 - rate * self.weight_decay))

    def get_config(self):
        return {
            **super().get_config(),
            "learning_rate_factors": self.learning_rate_factors,
        }
