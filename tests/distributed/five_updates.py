"""Trains a small model for five updates, on any number of ranks.

    horovodrun --gloo -np 2 python -m tests.distributed.five_updates OUT 1 4xla

For each given number of micro-batches, the same global batches of 16 rows are
split over the ranks; the first rank writes weights and metrics to
OUT-RANKSxSTEPS.npz. With `xla` after the number, XLA compiles the passes.
"""

import sys

import keras
import numpy as np

from albert_keras import AlbertBackbone, AlbertConfig, AlbertForPretraining
from albert_keras.optimizers import Lamb, WarmupPolynomialDecay
from albert_keras.training import distributed
from albert_keras.training.callbacks import BroadcastState
from tests.batches import Batches, make_batch

ROWS = 16
CONFIG = AlbertConfig(
    vocabulary_size=50,
    num_layers=2,
    num_heads=2,
    embedding_dim=6,
    hidden_dim=8,
    intermediate_dim=12,
    max_sequence_length=16,
    initializer_range=0.3,
)


def main(out, *splits):
    distributed.initialize()
    for split in splits:
        steps = int(split.removesuffix("xla"))
        result = five_updates(steps, jit_compile=split.endswith("xla"))
        if distributed.rank() == 0:
            np.savez(f"{out}-{distributed.size()}x{split}.npz", **result)


def five_updates(steps, jit_compile):
    # Every rank starts from other weights; rank 0's are broadcast.
    keras.utils.set_random_seed(distributed.rank())
    model = AlbertForPretraining(AlbertBackbone.from_config(CONFIG))
    schedule = WarmupPolynomialDecay(0.02, 1, 100)
    model.compile(
        Lamb(schedule, global_clipnorm=1.0),
        gradient_accumulation_steps=steps,
        jit_compile=jit_compile,
    )
    rng = np.random.default_rng(0)
    batches = [make_batch(rng, CONFIG, rows=ROWS) for _ in range(5)]
    mine = Batches([share(batch) for batch in batches])
    logs = model.fit(
        mine, shuffle=False, verbose=0, callbacks=[BroadcastState()]
    ).history
    metrics = {f"train_{name}": value[-1] for name, value in logs.items()}
    evaluated = model.evaluate(mine, verbose=0, return_dict=True)
    metrics.update({f"test_{name}": v for name, v in evaluated.items()})
    weights = {f"w{i}": w for i, w in enumerate(model.get_weights())}
    return {**weights, **metrics}


def share(batch):
    """This rank's rows of a global batch."""
    rows = ROWS // distributed.size()
    mine = slice(distributed.rank() * rows, (distributed.rank() + 1) * rows)
    return tuple({k: v[mine] for k, v in part.items()} for part in batch)


if __name__ == "__main__":
    main(*sys.argv[1:])
