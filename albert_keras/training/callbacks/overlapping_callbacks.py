"""Runs callbacks without waiting for each update to finish."""

import keras


class OverlappingCallbacks(keras.callbacks.CallbackList):
    """A callback list that lets the next update start at once.

    Keras converts a batch's metrics to floats before it calls the callbacks.
    This waits for the update to finish, and the device is then idle until the
    next batch arrives. This list passes the backend's tensors instead, and
    floats only if a callback's `needs_update()` returns True: it is about to
    save, log or measure in `on_train_batch_end`. A progress bar gets the
    metrics of the previous update.

    Args:
        callbacks, **kwargs: As for `keras.callbacks.CallbackList`.
    """

    def __init__(self, callbacks, **kwargs):
        super().__init__(callbacks, **kwargs)
        self._previous_logs = {}

    def on_train_batch_end(self, batch, logs=None):
        logs = logs or {}
        if any(self._needs_update(callback) for callback in self.callbacks):
            logs = _floats(logs)
        for callback in self.callbacks:
            is_bar = isinstance(callback, keras.callbacks.ProgbarLogger)
            callback.on_train_batch_end(
                batch, logs=_floats(self._previous_logs) if is_bar else logs
            )
        self._previous_logs = logs

    def _needs_update(self, callback):
        needs_update = getattr(callback, "needs_update", None)
        return needs_update is not None and needs_update()


def _floats(logs):
    return {name: float(value) for name, value in logs.items()}
