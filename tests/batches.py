"""Random pretraining batches for tests."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """A dataset of the given batches."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    @property
    def num_batches(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def make_batch(rng, config, rows=8, length=12, slots=5):
    """A pretraining batch with padding and a varying number of masks."""
    lengths = rng.integers(4, length + 1, rows)
    inputs = {
        "token_ids": rng.integers(0, config.vocabulary_size, (rows, length)),
        "segment_ids": rng.integers(0, 2, (rows, length)),
        "padding_mask": np.arange(length) < lengths[:, None],
        "mask_positions": rng.integers(0, 4, (rows, slots)),
    }
    inputs = {name: value.astype("int32") for name, value in inputs.items()}
    labels = {
        "mlm": rng.integers(0, config.vocabulary_size, (rows, slots)),
        "sop": rng.integers(0, 2, rows),
    }
    masked = rng.integers(1, slots + 1, rows)
    weights = (np.arange(slots) < masked[:, None]).astype("float32")
    return inputs, labels, {"mlm": weights}
