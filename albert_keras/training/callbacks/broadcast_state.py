"""Starts every rank from the first rank's state."""

import keras
import numpy as np

from albert_keras.training import distributed
from albert_keras.training.steps.random_state import SEED_STEP, is_random_state


class BroadcastState(keras.callbacks.Callback):
    """Broadcasts rank 0's weights and optimizer state when `fit` starts.

    Only rank 0 needs to restore a checkpoint. The random states of the other
    ranks are derived from rank 0's and the rank's number: dropout differs
    between ranks, and a resumed run draws the same random numbers as an
    uninterrupted one. Place it before callbacks that read the weights.
    """

    def on_train_begin(self, logs=None):
        variables = [*self.model.variables, *self.model.optimizer.variables]
        distributed.broadcast_variables(variables)
        if distributed.rank() == 0:
            return
        for variable in variables:
            if is_random_state(variable):
                state = keras.ops.convert_to_numpy(variable).astype("uint64")
                state[0] += distributed.rank() * SEED_STEP
                variable.assign((state % 2**32).astype(np.uint32))
