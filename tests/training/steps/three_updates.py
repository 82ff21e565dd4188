"""Three updates of a small model on Keras's current backend.

    KERAS_BACKEND=jax python -m tests.training.steps.three_updates \\
        START.npz OUT.npz

Starts from the weights in START.npz (or writes its own there, if the file does
not exist) and writes weights and metrics after three updates to OUT.npz.
"""

import sys
from pathlib import Path

import numpy as np

from albert_keras import AlbertBackbone, AlbertConfig, AlbertForPretraining
from albert_keras.optimizers import Lamb, WarmupPolynomialDecay
from tests.batches import Batches, make_batch

CONFIG = AlbertConfig(
    vocabulary_size=50,
    num_layers=4,
    num_groups=2,
    num_heads=2,
    embedding_dim=6,
    hidden_dim=8,
    intermediate_dim=12,
    max_sequence_length=16,
    initializer_range=0.3,
)


def main(start, out):
    model = AlbertForPretraining(AlbertBackbone.from_config(CONFIG))
    if Path(start).is_file():
        with np.load(start) as values:
            model.set_weights([values[key] for key in values])
    else:
        np.savez(start, *model.get_weights())
    rng = np.random.default_rng(0)
    batches = Batches([make_batch(rng, CONFIG) for _ in range(3)])
    schedule = WarmupPolynomialDecay(0.02, 1, 100)
    model.compile(
        Lamb(schedule, global_clipnorm=1.0), gradient_accumulation_steps=2
    )
    logs = model.fit(batches, shuffle=False, verbose=0).history
    metrics = {f"train_{name}": value[0] for name, value in logs.items()}
    evaluated = model.evaluate(batches, verbose=0, return_dict=True)
    metrics.update({f"test_{name}": v for name, v in evaluated.items()})
    weights = {f"w{i}": w for i, w in enumerate(model.get_weights())}
    np.savez(out, **weights, **metrics)


if __name__ == "__main__":
    main(*sys.argv[1:])
