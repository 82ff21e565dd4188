"""Stops a run whose loss has become infinite or NaN."""

import math

import keras

from albert_keras.training import distributed


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises an error as soon as a metric is infinite or NaN.

    Place it before callbacks that save, so that no checkpoint holds ruined
    weights. Metrics that may still be being computed (see
    `OverlappingCallbacks`) are checked one update later.

    Args:
        first_step: Updates done before this `fit`.

    Raises:
        FloatingPointError: If a metric is not finite; names the metric, the
            update and the rank.
    """

    def __init__(self, first_step: int = 0) -> None:
        super().__init__()
        self.step = first_step
        self._unchecked = []

    def on_train_begin(self, logs=None):
        # With loss scaling a gradient may overflow; the optimizer then skips
        # the update.
        scales = isinstance(
            self.model.optimizer, keras.optimizers.LossScaleOptimizer
        )
        self.ignored = {"gradient_norm"} if scales else set()

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        logs = logs or {}
        self._unchecked.append((self.step, logs))
        done = all(isinstance(value, float) for value in logs.values())
        self._check_all_but(0 if done else 1)

    def on_train_end(self, logs=None):
        self._check_all_but(0)

    def _check_all_but(self, num_newest):
        while len(self._unchecked) > num_newest:
            self._check(*self._unchecked.pop(0))

    def _check(self, step, logs):
        # Losses first: they are the cause of a norm that is not finite.
        for name in sorted(logs, key=lambda name: ("norm" in name, name)):
            value = float(logs[name])
            if name not in self.ignored and not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} is {value} at update {step} on rank "
                    f"{distributed.rank()}. Continue from the last checkpoint "
                    "with a lower learning rate or a longer warm-up."
                )
