"""Rows of a batch of sequences at positions of their own."""

from keras import ops


def gather_positions(x, positions):
    """Rows of `x` `(B, T, H)` at `positions` `(B, P)`, as `(B, P, H)`.

    One lookup in the flattened batch, whose gradient every backend scatters
    row by row.
    """
    batch, length, width = ops.shape(x)
    offsets = ops.expand_dims(ops.arange(batch, dtype="int32") * length, 1)
    flat_positions = ops.cast(positions, "int32") + offsets
    return ops.take(ops.reshape(x, (-1, width)), flat_positions, axis=0)
