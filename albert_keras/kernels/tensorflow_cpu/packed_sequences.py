"""Packed sequences: end to end, without their padding."""

from typing import Any, NamedTuple

import tensorflow as tf

from albert_keras.kernels.padded_sequences import (
    PaddedSequences,
    attention_bias_from_mask,
    rows_at,
)


def sequence_layout(x, padding_mask=None):
    if padding_mask is None:
        return PaddedSequences(x)
    return PackedSequences(x, padding_mask)


def packed_keys(x, attention_bias):
    """Returns `attention_bias` as `PackedKeys`.

    Args:
        x: `(B, T, H)`; only its shape is read.
        attention_bias: `PackedKeys`, which are returned as they are,
            `(B, 1, 1, T)`, or None.
    """
    if isinstance(attention_bias, PackedKeys):
        return attention_bias
    batch, length = tf.unstack(tf.shape(x)[:2])
    bias = tf.zeros((0,)) if attention_bias is None else attention_bias
    return PackedKeys(tf.range(batch + 1) * length, bias)


class PackedKeys(NamedTuple):
    """Which of R packed rows attend to which: those of the same sequence."""

    splits: Any  # int32 (B + 1,): first row of each sequence, and R
    bias: Any  # float32 (R,) added to scores, or (0,) for none


class PackedSequences:
    """Sequences without their padding, as B row ranges of one matrix.

    The methods are those of `PaddedSequences`. x is packed to `(1, R, H)` and
    unpacked with zeros for padding. The first position of a sequence, which
    models read, is kept even if it is masked.
    """

    def __init__(self, x, padding_mask):
        self._padded = x.shape
        self._batch, self._length = tf.unstack(tf.shape(x)[:2])
        is_kept = tf.logical_or(
            tf.cast(padding_mask, tf.bool), tf.range(self._length) == 0
        )
        self._kept = tf.where(tf.reshape(is_kept, (-1,)))  # (R, 1)
        ones = tf.cast(is_kept, tf.int32)
        self._packed_row = tf.cumsum(tf.reshape(ones, (-1,))) - 1  # (B T,)
        bias = tf.reshape(attention_bias_from_mask(padding_mask), (-1,))
        self.attention_bias = PackedKeys(
            splits=tf.pad(tf.cumsum(tf.reduce_sum(ones, axis=1)), [[1, 0]]),
            bias=tf.gather_nd(bias, self._kept),
        )

    def pack(self, x):
        @tf.custom_gradient
        def run(x):
            return self._gather(x), self._scatter

        return run(x)

    def unpack(self, x):
        @tf.custom_gradient
        def run(x):
            return self._scatter(x), self._gather

        return run(x)

    def rows_at(self, positions):
        return tf.gather(self._packed_row, rows_at(positions, self._length))

    def _gather(self, x):
        """`(B, T, H)` to `(1, R, H)`."""
        rows = tf.reshape(x, (-1, x.shape[-1]))
        return tf.gather_nd(rows, self._kept)[None]

    def _scatter(self, x):
        """`(1, R, H)` to `(B, T, H)`, with zeros for padding."""
        width = x.shape[-1]
        shape = (self._batch * self._length, width)
        rows = tf.scatter_nd(self._kept, x[0], tf.cast(shape, tf.int64))
        x = tf.reshape(rows, (self._batch, self._length, width))
        return tf.ensure_shape(x, (*self._padded[:2], width))
