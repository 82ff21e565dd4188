"""Random batches as NumPy arrays, the same for every contestant."""

import numpy as np

VOCABULARY_SIZE = 30000


def pretraining_batch(options):
    """Makes inputs and labels of an update, without padding."""
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


def inference_batches(options):
    """Makes token ids and masks of texts in the given order, in batches.

    Args:
        options: `lengths`, `rows` of a batch, and the `width` to which all
            batches are padded; None pads a batch to its longest row.
    """
    lengths, rows = np.array(options["lengths"]), options["rows"]
    batches = [
        lengths[start : start + rows] for start in range(0, len(lengths), rows)
    ]
    return [
        ids_and_masks(batch, options["width"] or batch.max())
        for batch in batches
    ]


def ids_and_masks(lengths, width):
    """Random ids and masks of texts of given lengths, padded to `width`."""
    rng = np.random.default_rng(0)
    mask = (np.arange(width) < lengths[:, None]).astype(np.int32)
    ids = rng.integers(5, VOCABULARY_SIZE, mask.shape, dtype=np.int32)
    return {"token_ids": ids * mask, "padding_mask": mask}
