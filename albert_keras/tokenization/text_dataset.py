"""Encodes the strings of a `tf.data.Dataset`, batch by batch.

Imported for such a dataset only, so that TensorFlow stays optional.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from albert_keras.tokenization.text_columns import decoded

# Lengths are rounded up to a multiple, so that XLA compiles few shapes.
_MULTIPLE = 32


def encode_dataset(
    dataset: Any,
    encode: Callable[[Any], dict[str, Any]],
    axes: dict[str, str],
    longest: int,
) -> Any:
    """Returns a dataset whose inputs are ids in place of strings.

    Args:
        dataset: A `tf.data.Dataset` of batches `x`, `(x, y)` or `(x, y,
            weights)`, where `x` is a tensor `(B,)` of strings or a tuple of
            two. Any other dataset is returned unchanged.
        encode: Turns a list of strings, or a tuple of two, into a dictionary
            of integer arrays.
        axes: The axes of these arrays by name; "T" is padded.
        longest: Maximum length of T.

    Raises:
        ValueError: If the dataset yields single texts instead of batches.
    """
    spec = dataset.element_spec
    with_labels = isinstance(spec, tuple)
    strings = tf.nest.flatten(spec[0] if with_labels else spec)
    if not all(getattr(s, "dtype", None) == tf.string for s in strings):
        return dataset
    for string in strings:
        if string.shape.rank != 1:
            raise ValueError(
                "A dataset of texts must yield batches `(B,)` of strings. "
                f"Received: strings of the shape {string.shape}. Call "
                "`dataset.batch(batch_size)` before."
            )

    def arrays_of(*columns):
        texts = tuple(decoded(column) for column in columns)
        return encode(texts if len(texts) > 1 else texts[0])

    # The first batch shows which arrays there are.
    first = [
        element[0] if with_labels else element for element in dataset.take(1)
    ]
    if not first:
        return dataset  # empty, which Keras reports
    names = sorted(arrays_of(*tf.nest.flatten(first[0])))

    def encode_batch(*columns):
        arrays = arrays_of(*columns)
        return [
            _padded(np.asarray(arrays[name], "int32"), axes[name], longest)
            for name in names
        ]

    def encode_element(x, *rest):
        columns = tf.nest.flatten(x)
        arrays = tf.numpy_function(
            encode_batch, columns, [tf.int32] * len(names)
        )
        for array, name in zip(arrays, names, strict=True):
            array.set_shape([None] * len(axes[name]))
        inputs = dict(zip(names, arrays, strict=True))
        return (inputs, *rest) if with_labels else inputs

    return dataset.map(encode_element).prefetch(2)


def _padded(array, axes, longest):
    if not axes.endswith("T"):
        return array
    length = array.shape[-1]
    width = max(length, min(-(-length // _MULTIPLE) * _MULTIPLE, longest))
    missing = [(0, 0)] * (array.ndim - 1) + [(0, width - length)]
    return np.pad(array, missing)
