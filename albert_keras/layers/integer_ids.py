"""Ids and positions of any type, as integers."""

import keras
from keras import ops

# These types round some whole numbers above the given one.
_LARGEST_EXACT = {"float16": 2**11, "bfloat16": 2**8}


def as_integers(name, ids, count):
    """Casts ids to integers as `keras.layers.Embedding` does.

    int32 and int64 stay, all other types become int32.

    Args:
        name: Name of the ids, for the error.
        ids: Whole numbers of any integer, float or Boolean type.
        count: Number of different ids; valid ones are below it.

    Raises:
        ValueError: If the type rounds some of the valid ids.
    """
    dtype = keras.backend.standardize_dtype(ids.dtype)
    if dtype in ("int32", "int64"):
        return ids
    largest = _LARGEST_EXACT.get(dtype, count)
    if count - 1 > largest:
        raise ValueError(
            f"`{name}` must have a type that holds every whole number below "
            f"{count}. Received: {dtype}, which rounds numbers above "
            f"{largest}. Pass int32."
        )
    return ops.cast(ids, "int32")
