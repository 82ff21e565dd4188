"""Keras callbacks of a training run, one per file."""

from albert_keras.training.callbacks.broadcast_state import BroadcastState
from albert_keras.training.callbacks.checkpointing import Checkpointing
from albert_keras.training.callbacks.keep_best import KeepBest
from albert_keras.training.callbacks.overlapping_callbacks import (
    OverlappingCallbacks,
)
from albert_keras.training.callbacks.plateau_warning import PlateauWarning
from albert_keras.training.callbacks.stop_on_non_finite import StopOnNonFinite
from albert_keras.training.callbacks.stop_on_signal import (
    EXIT_INTERRUPTED,
    StopOnSignal,
)
from albert_keras.training.callbacks.training_log import TrainingLog
from albert_keras.training.callbacks.validation import Validation

__all__ = [
    "EXIT_INTERRUPTED",
    "BroadcastState",
    "Checkpointing",
    "KeepBest",
    "OverlappingCallbacks",
    "PlateauWarning",
    "StopOnNonFinite",
    "StopOnSignal",
    "TrainingLog",
    "Validation",
]
