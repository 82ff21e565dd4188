"""Four updates in float16; in the second one the last rank overflows.

    horovodrun --gloo -np 2 python -m tests.distributed.overflow OUT 1 4xla

Every rank writes its loss scales and weights to OUT.overflow-RANK.npz. The
processes first run `five_updates` with the same arguments, so that one launch
serves both.
"""

import sys

import keras
import numpy as np

from albert_keras import AlbertBackbone, AlbertForPretraining
from albert_keras.optimizers import Lamb
from albert_keras.training import distributed
from albert_keras.training.callbacks import BroadcastState
from tests.batches import Batches, make_batch
from tests.distributed import five_updates
from tests.distributed.five_updates import CONFIG, share


class Overflowing(AlbertForPretraining):
    """Overflows in its second update on the last rank only."""

    updates = 0

    def training_loss(self, sums, totals):
        loss = super().training_loss(sums, totals)
        self.updates += 1
        last = distributed.rank() == distributed.size() - 1
        return loss * 1e38 if last and self.updates == 2 else loss


class Recording(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.scales, self.iterations, self.weights = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        optimizer = self.model.optimizer
        self.scales.append(float(optimizer.dynamic_scale.value))
        self.iterations.append(int(optimizer.iterations))
        self.weights.append(self.model.get_weights()[0])


def main(out, *splits):
    five_updates.main(out, *splits)
    keras.utils.set_random_seed(0)
    backbone = AlbertBackbone.from_albert_config(CONFIG, dtype="mixed_float16")
    model = Overflowing(backbone)
    model.compile(Lamb(0.01, global_clipnorm=1.0), run_eagerly=True)
    model.optimizer.dynamic_scale.assign(256.0)
    rng = np.random.default_rng(0)
    batches = [share(make_batch(rng, CONFIG, rows=16)) for _ in range(4)]
    recording = Recording()
    model.fit(
        Batches(batches),
        shuffle=False,
        verbose=0,
        callbacks=[BroadcastState(), recording],
    )
    np.savez(
        f"{out}.overflow-{distributed.rank()}.npz",
        scales=recording.scales,
        iterations=recording.iterations,
        weights=recording.weights,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
