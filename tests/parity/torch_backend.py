"""Runs the models on Keras's PyTorch backend.

    KERAS_BACKEND=torch python -m tests.parity.torch_backend OUT

Writes to OUT the outputs of the model in OUT/model, the results of three
updates from OUT/start.npz, and the losses of a Keras model with the backbone.
"""

import sys
from pathlib import Path

import keras
import numpy as np

import albert_keras as ak
from tests.training.steps import three_updates

CONFIG = ak.AlbertConfig(
    vocabulary_size=100,
    num_layers=4,
    num_groups=2,
    num_inner_repetitions=2,
    num_heads=4,
    embedding_dim=16,
    hidden_dim=32,
    intermediate_dim=64,
    max_sequence_length=32,
    initializer_range=0.3,
)


def make_inputs(rows=6):
    """Makes rows of different lengths."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 33, rows)[:, None]
    return {
        "token_ids": rng.integers(0, 100, (rows, 32)),
        "segment_ids": rng.integers(0, 2, (rows, 32)),
        "padding_mask": (np.arange(32) < lengths).astype("int32"),
        "mask_positions": rng.integers(0, 5, (rows, 4)),
    }


def finetune(directory):
    """Losses of a custom Keras model in plain `model.fit`."""
    keras.utils.set_random_seed(0)
    inputs = make_inputs(rows=32)
    del inputs["mask_positions"]
    labels = inputs["token_ids"][:, 1] % 2
    backbone = ak.AlbertBackbone.from_pretrained(directory)
    tensors = {
        name: keras.Input((32,), dtype="int32", name=name) for name in inputs
    }
    logits = keras.layers.Dense(2)(backbone(tensors)["pooled_output"])
    model = keras.Model(tensors, logits)
    model.compile(
        keras.optimizers.Adam(0.003),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    fitted = model.fit(inputs, labels, batch_size=16, epochs=30, verbose=0)
    return fitted.history["loss"]


def main(out):
    out = Path(out)
    model = ak.AlbertForPretraining.from_pretrained(out / "model")
    outputs = model.predict_on_batch(make_inputs())
    np.savez(out / "outputs.npz", **outputs)
    three_updates.main(out / "start.npz", out / "torch.npz")
    np.savez(out / "losses.npz", losses=finetune(out / "model"))


if __name__ == "__main__":
    main(sys.argv[1])
