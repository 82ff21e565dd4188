"""Sequences of one length in a batch, padding and all."""

from keras import ops


class PaddedSequences:
    """How sequences pass through the layers that mix them: as they are.

    Args:
        x: `(B, T, H)`, for its shape.
        padding_mask: `(B, T)`, 1 = attend, 0 = padding; None attends to all.

    Attributes:
        attention_bias: What `self_attention` takes.
    """

    def __init__(self, x, padding_mask=None):
        self._length = ops.shape(x)[1]
        self.attention_bias = None
        if padding_mask is not None:
            self.attention_bias = attention_bias_from_mask(padding_mask)

    def enter(self, x):
        """x `(B, T, H)` as the layers take it."""
        return x

    def leave(self, x):
        """What the layers made of it, as `(B, T, H)`."""
        return x

    def rows_at(self, positions):
        """Where `positions` `(B, P)` are among all rows of x."""
        return rows_at(positions, self._length)


def attention_bias_from_mask(padding_mask):
    """Turns `(B, T)`, 1 = attend and 0 = padding, into a bias on the scores.

    Returns:
        float32 `(B, 1, 1, T)`: 0 or -30000, which float16 still holds and
        whose exponential is 0. Only keys are masked, as in every ALBERT; a
        row without any valid key attends to all evenly.
    """
    mask = ops.cast(padding_mask, "float32")
    return (1.0 - mask[:, None, None, :]) * -30000.0


def gather_positions(x, positions):
    """Rows of `x` `(B, T, H)` at `positions` `(B, P)`, as `(B, P, H)`."""
    return take_rows(x, rows_at(positions, ops.shape(x)[1]))


def rows_at(positions, length):
    """Where `positions` `(B, P)` are among B times `length` rows."""
    batch = ops.shape(positions)[0]
    offsets = ops.expand_dims(ops.arange(batch, dtype="int32") * length, 1)
    return ops.cast(positions, "int32") + offsets


def take_rows(x, rows):
    """Rows of `x` `(..., H)`, counted through it, as `(*rows.shape, H)`.

    One lookup, whose gradient every backend scatters row by row.
    """
    return ops.take(ops.reshape(x, (-1, ops.shape(x)[-1])), rows, axis=0)
