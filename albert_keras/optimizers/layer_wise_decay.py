"""Lower learning rates for lower layers."""

import re

import keras
from keras import ops


def layer_wise_factors(num_groups, decay):
    """What the learning rate of each part of ALBERT is multiplied by.

    Layer-wise decay (Howard and Ruder 2018, arXiv:1801.06146, section 3.2)
    lowers the rate with each layer below the head. ALBERT's layers share
    their weights, so the steps are the groups: heads and pooler have 1, the
    last group `decay`, the one below `decay` squared, and so on; the
    embeddings come last.

    Args:
        num_groups: Of the `AlbertConfig`.
        decay: Above 0 and at most 1; 1 is no decay.

    Returns:
        Pairs of a regular expression, searched in `variable.path`, and a
        factor; the first match counts, and what matches none has 1.

    Raises:
        ValueError: If the decay is out of range.
    """
    if not 0 < decay <= 1:
        raise ValueError(
            f"`decay` must be above 0 and at most 1. Received: {decay}."
        )
    if decay == 1:
        return ()
    groups = (
        (f"encoder/group_{group}_", decay ** (num_groups - group))
        for group in range(num_groups)
    )
    return (*groups, ("embeddings/", decay ** (num_groups + 1)))


def learning_rate_factor(factors, variable):
    """The factor of a Keras variable, see `layer_wise_factors`."""
    for pattern, factor in factors:
        if re.search(pattern, variable.path):
            return factor
    return 1.0


@keras.saving.register_keras_serializable("albert_keras")
class LayerWiseAdamW(keras.optimizers.AdamW):
    """Keras's AdamW with a learning rate for each part of the model.

    Args:
        learning_rate_factors: See `layer_wise_factors`. They apply to the
            weight decay too, which is times the learning rate.
        **kwargs: Of `keras.optimizers.AdamW`.
    """

    def __init__(self, *args, learning_rate_factors=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.learning_rate_factors = tuple(
            (pattern, float(factor))
            for pattern, factor in learning_rate_factors
        )

    def update_step(self, gradient, variable, learning_rate):
        # Some backends pass their own variable here, which has no path.
        index = self._get_variable_index(variable)
        factor = learning_rate_factor(
            self.learning_rate_factors, self._trainable_variables[index]
        )
        super().update_step(gradient, variable, learning_rate * factor)

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
