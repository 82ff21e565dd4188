"""Weight decay that leaves out variables by their path."""

import re

import keras


class ExcludesFromWeightDecay(keras.optimizers.Optimizer):
    """An optimizer whose exclusions from weight decay are an argument.

    Keras keeps what `exclude_from_weight_decay` was called with in the object
    alone: an optimizer that is loaded from a file decays every variable. And
    it matches `variable.name`, which is "gamma" without its layer. This
    argument is saved, and matches `variable.path`.

    Args:
        weight_decay_exclusions: Regular expressions searched in
            `variable.path`; variables that match are not decayed, as are
            those of `exclude_from_weight_decay`.
        *args, **kwargs: Arguments of the optimizer.
    """

    def __init__(self, *args, weight_decay_exclusions=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.weight_decay_exclusions = tuple(weight_decay_exclusions)

    def _use_weight_decay(self, variable):
        # Some backends pass a variable of theirs, which has no path.
        index = self._get_variable_index(variable)
        path = self._trainable_variables[index].path
        if matches(self.weight_decay_exclusions, path):
            return False
        return super()._use_weight_decay(variable)

    def get_config(self):
        return {
            **super().get_config(),
            "weight_decay_exclusions": self.weight_decay_exclusions,
        }


def matches(patterns, path):
    """Whether one of the regular expressions is found in a path."""
    return any(re.search(pattern, path) for pattern in patterns)
