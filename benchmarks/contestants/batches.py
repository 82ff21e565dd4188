"""The same made-up batches for every contestant, as NumPy arrays."""

import numpy as np

VOCABULARY_SIZE = 30000


def pretraining_batch(options):
    """Inputs and labels of an update without padding."""
    rng = np.random.default_rng(0)
    rows, length = options["rows"], options["length"]
    predictions = options["predictions"]

    def ids(*shape):
        return rng.integers(5, VOCABULARY_SIZE, shape, dtype=np.int32)

    positions = np.tile(np.arange(1, length, dtype=np.int32), (rows, 1))
    positions = rng.permuted(positions, axis=1)[:, :predictions]
    segments = np.arange(length, dtype=np.int32) >= length // 2
    return {
        "token_ids": ids(rows, length),
        "segment_ids": np.tile(segments.astype(np.int32), (rows, 1)),
        "padding_mask": np.ones((rows, length), np.int32),
        "mask_positions": np.sort(positions, axis=1),
        "mlm": ids(rows, predictions),
        "sop": rng.integers(0, 2, rows, dtype=np.int32),
    }


def inference_batches(options, sort, multiple):
    """Token ids and masks of texts of given lengths, padded batch by batch.

    Args:
        options: `lengths` and `rows`.
        sort: Whether texts of like length share a batch.
        multiple: Lengths are padded to a multiple of this.
    """
    rng = np.random.default_rng(0)
    lengths = np.array(options["lengths"])
    if sort:
        lengths = np.sort(lengths)
    batches = []
    for start in range(0, len(lengths), options["rows"]):
        chosen = lengths[start : start + options["rows"]]
        width = -(-int(chosen.max()) // multiple) * multiple
        mask = (np.arange(width) < chosen[:, None]).astype(np.int32)
        ids = rng.integers(5, VOCABULARY_SIZE, mask.shape, dtype=np.int32)
        batches.append({"token_ids": ids * mask, "padding_mask": mask})
    return batches
