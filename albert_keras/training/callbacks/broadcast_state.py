"""Starts every rank from the first rank's state."""

import keras
import numpy as np

from albert_keras.training import distributed
from albert_keras.training.steps.random_state import SEED_STEP, is_random_state


class BroadcastState(keras.callbacks.Callback):
    """Gives all ranks rank 0's weights and optimizer state, as `fit` starts.

    So one rank alone may have restored a checkpoint. Random states follow
    from rank 0's and the number of the rank: dropout differs from rank to
    rank, and a resumed run goes on with what it would have drawn. Goes first
    in the list of callbacks.
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
