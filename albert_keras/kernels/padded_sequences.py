"""Batches of sequences of one length, padding included."""

from keras import ops


class PaddedSequences:
    """Identity packing: sequences keep their padding.

    The encoder uses this and the packed layout of a fused form in the same
    way: `pack` before its layers, `unpack` after them.

    Args:
        x: `(B, T, H)`; only its shape is read.
        padding_mask: `(B, T)`, 1 = attend, 0 = padding; None attends to all.

    Attributes:
        attention_bias: The mask in the form that `self_attention` takes.
    """

    def __init__(self, x, padding_mask=None):
        self._length = ops.shape(x)[1]
        self.attention_bias = None
        if padding_mask is not None:
            self.attention_bias = attention_bias_from_mask(padding_mask)

    def pack(self, x):
        """Converts `(B, T, H)` to the layout of the encoder's layers."""
        return x

    def unpack(self, x):
        """Converts the layers' output back to `(B, T, H)`."""
        return x

    def rows_at(self, positions):
        """Row numbers of `positions` `(B, P)` among all rows of packed x."""
        return rows_at(positions, self._length)


def attention_bias_from_mask(padding_mask):
    """Converts a padding mask to a bias that is added to attention scores.

    Args:
        padding_mask: `(B, T)`, 1 = attend, 0 = padding.

    Returns:
        float32 `(B, 1, 1, T)`: 0, or -30000 for padding. float16 can hold
        -30000, and its exponential is 0. Only keys are masked, as in every
        ALBERT. A row without tokens attends to its first position, so that
        every layout computes the same.
    """
    is_token = ops.cast(padding_mask, "bool")
    is_empty = ops.logical_not(ops.any(is_token, axis=1, keepdims=True))
    positions = ops.arange(ops.shape(is_token)[1], dtype="int32")
    is_first = ops.equal(positions, 0)
    is_key = ops.logical_or(is_token, ops.logical_and(is_empty, is_first))
    bias = (1.0 - ops.cast(is_key, "float32")) * -30000.0
    return ops.expand_dims(bias, (1, 2))  # LiteRT cannot index with None


def zero_padding(x, padding_mask, positions=None):
    """Makes x 0 at padding, whatever it holds there, NaN included.

    Args:
        x: `(B, T, H)`, or `(B, P, H)` with `positions`.
        padding_mask: `(B, T)`, 1 = token, 0 = padding; None is all tokens.
        positions: Integers `(B, P)` below T: which rows x holds.
    """
    if padding_mask is None:
        return x
    is_token = ops.cast(padding_mask, "bool")
    if positions is not None:
        rows = rows_at(positions, ops.shape(is_token)[1])
        is_token = ops.take(ops.reshape(is_token, (-1,)), rows, axis=0)
    is_token = ops.expand_dims(is_token, -1)
    return ops.where(is_token, x, ops.zeros((), dtype=x.dtype))


def gather_positions(x, positions):
    """Gathers rows of `x` `(B, T, H)` at `positions` `(B, P)`: `(B, P, H)`."""
    return take_rows(x, rows_at(positions, ops.shape(x)[1]))


def rows_at(positions, length):
    """Row numbers of `positions` `(B, P)` in sequences laid end to end.

    Args:
        positions: Integers `(B, P)` below `length`.
        length: Rows of each sequence.

    Returns:
        int32 `(B, P)`: b * length + position.
    """
    batch = ops.shape(positions)[0]
    offsets = ops.expand_dims(ops.arange(batch, dtype="int32") * length, 1)
    return ops.cast(positions, "int32") + offsets


def take_rows(x, rows):
    """Takes rows of `x` `(..., H)` by number, as `(*rows.shape, H)`.

    Rows are numbered through all leading axes. It is one lookup, and every
    backend scatters its gradient row by row.
    """
    return ops.take(ops.reshape(x, (-1, ops.shape(x)[-1])), rows, axis=0)
