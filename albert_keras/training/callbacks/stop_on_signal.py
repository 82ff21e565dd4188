"""Stops a run cleanly when it receives a signal."""

import signal
from collections.abc import Sequence

import keras

from albert_keras.training import distributed

# sysexits.h's EX_TEMPFAIL: the run is not finished and can be resumed.
EXIT_INTERRUPTED = 75


class StopOnSignal(keras.callbacks.Callback):
    """Stops after an update once any rank has received SIGTERM or SIGINT.

    Spot interruptions, `scancel` and container stops send SIGTERM, Ctrl-C
    sends SIGINT. The current update is finished; on several ranks so is the
    next one, in which the ranks agree to stop after the same update.
    Callbacks that save in `on_train_end` then save. A second Ctrl-C ends the
    process at once.

    Args:
        signals: Numbers of the signals.
        first_step: Updates done before this `fit`.

    Attributes:
        step: Updates done.
        stopped: Whether the run was stopped by a signal.
    """

    def __init__(
        self,
        signals: Sequence[int] = (signal.SIGTERM, signal.SIGINT),
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.signals = signals
        self.step = first_step
        self.received = self.stopped = False

    def on_train_begin(self, logs=None):
        self._previous = {
            number: signal.signal(number, self._receive)
            for number in self.signals
        }

    def on_train_batch_begin(self, batch, logs=None):
        if self.received and distributed.size() > 1:
            self.model.update_metrics.stop_vote.assign(1.0)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        agreed = self.received
        if distributed.size() > 1:
            agreed = float(self.model.update_metrics.stop_votes.value) > 0
        if agreed:
            self.stopped = self.model.stop_training = True

    def on_train_end(self, logs=None):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number, frame):
        self.received = True
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
