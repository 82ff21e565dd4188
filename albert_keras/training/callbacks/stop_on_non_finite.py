"""Stops a run whose loss is no number any more."""

import math

import keras


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises as soon as a metric is infinite or not a number.

    Goes first in the list of callbacks, so that no checkpoint is written of
    weights that are lost.

    Args:
        first_step: Updates done before this `fit`.

    Raises:
        FloatingPointError: Names the metric and the update.
    """

    def __init__(self, first_step=0):
        super().__init__()
        self.step = first_step

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        for name, value in (logs or {}).items():
            # Under loss scaling a gradient may overflow; the optimizer then
            # skips the update.
            if name != "gradient_norm" and not math.isfinite(float(value)):
                raise FloatingPointError(
                    f"{name} is {float(value)} at update {self.step}. Go on "
                    "from the last checkpoint with a lower learning rate or "
                    "a longer warm-up."
                )
