"""Translates arrays between a format and this package."""

import numpy as np

from albert_keras.config import AlbertConfig
from albert_keras.conversion.weight_names import (
    BLOCK,
    stored_shape,
    weights_of,
)


def from_stored(format, config, shapes, read, path, ignored=()):
    """Converts a format's arrays to this package's weights.

    Every shape is checked before the first array is read.

    Args:
        format: A key of `FORMATS`.
        config: The `AlbertConfig` of the arrays.
        shapes: Shape of each array by its name in the format.
        read: `name -> array`.
        path: File of the arrays, for messages.
        ignored: Names that are not weights.

    Returns:
        Arrays by this package's names, and the names that match no weight of
        this package. They are float32; float64 stays float64, and int8 of the
        format "keras" int8.

    Raises:
        ValueError: If the configuration contradicts the arrays, a weight of
            the encoder is missing, or an array is quantized in a way that
            this package does not read.
    """
    found, missing, classes = [], [], {}
    for weight in weights_of(config):
        stored = weight.stored(format)
        if stored is None:
            continue
        if stored.name not in shapes:
            missing.append((weight.name, stored.name))
            continue
        expected = stored_shape(weight.shape, stored.layout, config.num_heads)
        _check_shape(path, stored.name, tuple(shapes[stored.name]), expected)
        if None in expected:
            classes[stored.name] = shapes[stored.name][expected.index(None)]
        found.append((weight, stored))
    left_over = set(shapes) - {stored.name for _, stored in found}
    left_over -= set(ignored)
    _check_encoder(format, path, missing, left_over)
    if len(set(classes.values())) > 1:
        raise ValueError(
            f"{path} is damaged: its classifier has different numbers of "
            f"classes: {classes}."
        )
    weights = {}
    for weight, stored in found:
        array = np.asarray(read(stored.name))
        dtype = _dtype_here(format, path, stored.name, array)
        if stored.layout == "transposed":
            array = array.T
        else:
            shape = [-1 if size is None else size for size in weight.shape]
            array = array.reshape(shape)
        weights[weight.name] = np.ascontiguousarray(array, dtype)
    return weights, tuple(sorted(left_over))


def to_stored(
    format: str, config: AlbertConfig, weights: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Converts this package's weights to a format's arrays.

    Returns:
        Arrays by the format's names, and the names of the weights that the
        format cannot store.
    """
    arrays, placed = {}, set()
    for weight in weights_of(config):
        stored = weight.stored(format)
        if stored is None or weight.name not in weights:
            continue
        array = weights[weight.name]
        if stored.layout == "transposed":
            array = array.T
        else:
            shape = stored_shape(array.shape, stored.layout, config.num_heads)
            array = array.reshape(shape)
        arrays[stored.name] = np.ascontiguousarray(array)
        placed.add(weight.name)
    return arrays, sorted(set(weights) - placed)


def _dtype_here(format, path, name, array):
    """Returns the type in which an array is kept."""
    if format == "keras" and array.dtype == "int8":
        return "int8"
    if array.dtype.kind in "iub":
        raise ValueError(
            f"{path}: {name} has the type {array.dtype}. Expected floats. "
            "Quantized weights of other systems are not read; save the model "
            "in float there."
        )
    return "float64" if array.dtype == "float64" else "float32"


def _check_shape(path, name, received, expected):
    if not fits(received, expected):
        raise ValueError(
            f"{path} does not fit the configuration: {name} has shape "
            f"{received} in the file and {expected} by the configuration. "
            "Check that both belong to the same model."
        )


def _check_encoder(format, path, missing, left_over):
    """Raises unless the file has exactly the configured encoder."""
    needed = ("backbone/embeddings/", "backbone/encoder/")
    absent = [stored for ours, stored in missing if ours.startswith(needed)]
    if absent:
        raise ValueError(
            f"{path} does not fit the configuration: it has no "
            f"{listed(absent)}. Check the groups and inner repetitions of "
            "the configuration, and that the file is complete."
        )
    prefix = BLOCK[0].stored(format).name.split("{")[0]
    extra = sorted(name for name in left_over if name.startswith(prefix))
    if extra:
        raise ValueError(
            f"{path} does not fit the configuration: it has blocks that the "
            f"configuration does not have: {listed(extra)}. Check the "
            "groups and inner repetitions of the configuration."
        )


def fits(shape, expected):
    """Whether a shape is the expected one, in which None fits any size."""
    return len(shape) == len(expected) and all(
        wanted in (None, size)
        for wanted, size in zip(expected, shape, strict=True)
    )


def listed(names, limit=4):
    """Returns the first names and the number of others, for a message."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
