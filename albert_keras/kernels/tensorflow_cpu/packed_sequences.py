"""Sequences end to end, without their padding."""

from typing import Any, NamedTuple

import tensorflow as tf

from albert_keras.kernels.padded_sequences import (
    PaddedSequences,
    attention_bias_from_mask,
    rows_at,
)


def sequences_of(x, padding_mask=None):
    if padding_mask is None:
        return PaddedSequences(x)
    return PackedSequences(x, padding_mask)


def keys_of(x, attention_bias):
    """`PackedKeys` of x `(B, T, H)`, or its own if it is packed already."""
    if isinstance(attention_bias, PackedKeys):
        return attention_bias
    batch, length = tf.unstack(tf.shape(x)[:2])
    bias = tf.zeros((0,)) if attention_bias is None else attention_bias
    return PackedKeys(tf.range(batch + 1) * length, bias)


class PackedKeys(NamedTuple):
    """Which rows attend to which: those of each of B sequences, R in all."""

    splits: Any  # int32 (B + 1,): where each begins, and R
    bias: Any  # float32, R numbers or none: what is added to scores


class PackedSequences:
    """As `PaddedSequences`, with no work for padding.

    x enters as `(1, R, H)` and leaves with zeros for padding. A first
    position, which models read, stays even where it is masked.
    """

    def __init__(self, x, padding_mask):
        self._padded = x.shape
        self._batch, self._length = tf.unstack(tf.shape(x)[:2])
        stays = tf.logical_or(
            tf.cast(padding_mask, tf.bool), tf.range(self._length) == 0
        )
        self._places = tf.where(tf.reshape(stays, (-1,)))  # (R, 1)
        ones = tf.cast(stays, tf.int32)
        self._row = tf.cumsum(tf.reshape(ones, (-1,))) - 1  # (B T,)
        bias = tf.reshape(attention_bias_from_mask(padding_mask), (-1,))
        self.attention_bias = PackedKeys(
            splits=tf.pad(tf.cumsum(tf.reduce_sum(ones, axis=1)), [[1, 0]]),
            bias=tf.gather_nd(bias, self._places),
        )

    def enter(self, x):
        @tf.custom_gradient
        def run(x):
            return self._pack(x), self._unpack

        return run(x)

    def leave(self, x):
        @tf.custom_gradient
        def run(x):
            return self._unpack(x), self._pack

        return run(x)

    def rows_at(self, positions):
        return tf.gather(self._row, rows_at(positions, self._length))

    def _pack(self, x):
        """`(B, T, H)` as `(1, R, H)`."""
        rows = tf.reshape(x, (-1, x.shape[-1]))
        return tf.gather_nd(rows, self._places)[None]

    def _unpack(self, x):
        """`(1, R, H)` as `(B, T, H)`."""
        width = x.shape[-1]
        shape = (self._batch * self._length, width)
        rows = tf.scatter_nd(self._places, x[0], tf.cast(shape, tf.int64))
        x = tf.reshape(rows, (self._batch, self._length, width))
        return tf.ensure_shape(x, (*self._padded[:2], width))
