"""Starts every rank from the first rank's state."""

import keras
import numpy as np

from albert_keras.training import distributed

# Odd, so that ranks differ, and large, so that seeds stay far apart.
_SEED_STEP = 0x9E3779B1


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
            if "seed_generator_state" in variable.path:
                state = keras.ops.convert_to_numpy(variable).astype("uint64")
                state[0] += distributed.rank() * _SEED_STEP
                variable.assign((state % 2**32).astype(np.uint32))
