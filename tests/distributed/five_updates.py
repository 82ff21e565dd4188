"""Trains a small model for five updates, on any number of ranks.

    horovodrun --gloo -np 2 python -m tests.distributed.five_updates OUT 1 4xla

For each given number of micro-batches, the same global batches of 16 rows are
split over the ranks; the first rank writes weights and metrics to
OUT-RANKSxSTEPS.npz. With `xla` after the number, XLA compiles the passes; with
`own`, the model is trained on a loss of a user and has metrics of a user.
"""

import sys

import keras
import numpy as np
from keras import ops

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
        steps = int(split.removesuffix("xla").removesuffix("own"))
        arguments = own_arguments() if split.endswith("own") else {}
        jit_compile = "auto" if arguments else split.endswith("xla")
        result = five_updates(steps, jit_compile=jit_compile, **arguments)
        if distributed.rank() == 0:
            np.savez(f"{out}-{distributed.size()}x{split}.npz", **result)


class Largest(keras.metrics.Metric):
    """A metric whose variables are no sums: the first rank's are kept."""

    def __init__(self, name="largest"):
        super().__init__(name=name)
        self.value = self.add_variable(
            (), "zeros", aggregation="only_first_replica", name="value"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(ops.maximum(self.value, ops.max(y_pred)))

    def result(self):
        return self.value


def squared(labels, logits):
    """The squared distance of the label's probability to 1."""
    p = ops.softmax(logits, axis=-1)
    ids = ops.cast(labels, "int32")[..., None]
    return ops.square(1 - ops.take_along_axis(p, ids, axis=-1)[..., 0])


def own_arguments():
    """A loss and metrics of a user."""
    auc = keras.metrics.AUC(name="auc")
    entropy = "sparse_categorical_crossentropy"
    return dict(
        loss={"mlm": squared},
        metrics={"mlm": [keras.metrics.F1Score(name="f1")], "sop": [auc]},
        weighted_metrics={"mlm": [entropy], "sop": [Largest()]},
    )


def five_updates(steps, jit_compile, **arguments):
    # Every rank starts from other weights; rank 0's are broadcast.
    keras.utils.set_random_seed(distributed.rank())
    model = AlbertForPretraining(AlbertBackbone.from_config(CONFIG))
    schedule = WarmupPolynomialDecay(0.02, 1, 100)
    model.compile(
        Lamb(schedule, global_clipnorm=1.0),
        gradient_accumulation_steps=steps,
        jit_compile=jit_compile,
        **arguments,
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
