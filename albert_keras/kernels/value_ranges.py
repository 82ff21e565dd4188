"""Integers that must be in a range: errors, or NaN in compiled functions.

Outside compiled functions a value out of range is a `ValueError`. While a
function is compiled its values are unknown, and most devices cannot raise
errors. TensorFlow on a CPU then raises an `InvalidArgumentError` when the
function runs; elsewhere the results of the value are NaN, which
`StopOnNonFinite` reports.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from albert_keras.kernels import on_tensorflow_cpu


@dataclasses.dataclass(frozen=True)
class IntegerRange:
    """The integers from 0 to `size` - 1.

    Attributes:
        name: Name of the tensor, for messages.
        size: An integer, or a scalar tensor where it is not yet known.
        size_name: Name of `size`, for messages.
        rule: Sentence that says which values are expected.
        remedy: Sentence that says how to correct them.
    """

    name: str
    size: Any
    size_name: str
    rule: str
    remedy: str

    def check(self, values):
        """Finds the values that are out of range.

        Args:
            values: A tensor.

        Returns:
            The values, with 0 in place of those out of range, and booleans of
            the same shape: which are in range. None in their place if all are
            known to be.

        Raises:
            ValueError: If values that are known are out of range.
        """
        known = _known(values)
        if known is not None and isinstance(self.size, int):
            self._check_known(known)
            return values, None
        dtype = keras.backend.standardize_dtype(values.dtype)
        if dtype == "bool":
            return values, None
        if dtype != "int64" and not keras.backend.is_float_dtype(dtype):
            values = ops.cast(values, "int32")  # `size` may not fit into uint8
        in_range = ops.logical_and(
            ops.greater_equal(values, 0), ops.less(values, self.size)
        )
        if on_tensorflow_cpu():
            in_range = self._assert(in_range, values)
        return ops.where(in_range, values, ops.zeros_like(values)), in_range

    def _check_known(self, values):
        if not values.size:
            return
        low, high = values.min(), values.max()
        if low >= 0 and high < self.size:
            return  # false for NaN
        raise ValueError(
            f"{self.rule} Received: {self.name} from {low} to {high}, "
            f"{self.size_name}={self.size}. {self.remedy}"
        )

    def _assert(self, in_range, values):
        """Returns `in_range`, or raises an error when the function runs.

        XLA leaves out the error.
        """
        import tensorflow as tf

        limit = (f"not in [0, {self.size}).",)
        if not isinstance(self.size, int):
            limit = (f"{self.size_name} =", self.size)
        assertion = tf.debugging.Assert(
            tf.reduce_all(in_range),
            [
                f"{self.rule} Received: {self.name} from",
                tf.reduce_min(values),
                "to",
                tf.reduce_max(values),
                *limit,
                self.remedy,
            ],
        )
        # Nothing that depends on the values, such as an update, comes before.
        with tf.control_dependencies([assertion]):
            return tf.identity(in_range)


def position_range(name, length):
    """The positions in rows of `length` tokens."""
    return IntegerRange(
        name,
        size=length,
        size_name="T",
        rule="Positions to read or predict (`read_positions`, "
        "`mask_positions`) must be between 0 and T - 1 in rows of T tokens.",
        remedy="Count from 0 at [CLS]; empty slots may have the position 0.",
    )


def nan_unless(in_range, x):
    """Makes x NaN where values that it was computed from are out of range.

    Args:
        in_range: Booleans in the shape of the first axes of x; None for x
            itself.
        x: A tensor of floats.
    """
    if in_range is None:
        return x
    added = ops.cast(ops.where(in_range, 0.0, float("nan")), x.dtype)
    for _ in range(len(x.shape) - len(added.shape)):
        added = ops.expand_dims(added, -1)
    return x + added


def _known(tensor):
    """Returns a tensor as a NumPy array, or None if it is symbolic."""
    try:
        return np.asarray(tensor)
    except Exception:  # each backend raises its own error
        return None
