"""Callbacks that do not keep the device waiting."""

import keras


class OverlappingCallbacks(keras.callbacks.CallbackList):
    """A list of callbacks beside which the next update is already started.

    Keras hands a batch's metrics to callbacks as numbers, for which it waits
    until the update is done; the device then waits for the next batch. Here
    they are handed over as they come from the backend, and are numbers only
    where a callback's `needs_update()` says that it is going to save, log or
    measure in `on_train_batch_end`. A progress bar is given those of the
    update before.

    Args:
        callbacks, **kwargs: As for `keras.callbacks.CallbackList`.
    """

    def __init__(self, callbacks, **kwargs):
        super().__init__(callbacks, **kwargs)
        self._before = {}

    def on_train_batch_end(self, batch, logs=None):
        logs = logs or {}
        if any(self._needs_update(callback) for callback in self.callbacks):
            logs = _numbers(logs)
        for callback in self.callbacks:
            shows = isinstance(callback, keras.callbacks.ProgbarLogger)
            callback.on_train_batch_end(
                batch, logs=_numbers(self._before) if shows else logs
            )
        self._before = logs

    def _needs_update(self, callback):
        needs_update = getattr(callback, "needs_update", None)
        return needs_update is not None and needs_update()


def _numbers(logs):
    return {name: float(value) for name, value in logs.items()}
