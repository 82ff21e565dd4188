"""Stateless random numbers: each is a function of where it is used.

A value is a hash of (seed, stream, row, column), so any row of any step can
be drawn directly, in any process and order: a resumed run, another rank and a
larger batch get the same numbers.
"""

import zlib
from typing import Any

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15


def uniform(seed: int, stream: str, rows: Any, columns: int) -> np.ndarray:
    """Draws independent uniform numbers for a grid.

    Args:
        seed: Non-negative integer.
        stream: Name of the purpose; streams are independent.
        rows: Integers `(R,)` that identify the rows.
        columns: Number of columns C.

    Returns:
        float64 `(R, C)` in [0, 1).
    """
    rows = np.asarray(rows)[:, None]
    return uniform_at(seed, stream, rows, np.arange(columns)[None, :])


def uniform_at(seed: int, stream: str, rows: Any, columns: Any) -> np.ndarray:
    """Draws the numbers of `uniform` at given rows and columns.

    Args:
        seed, stream: As for `uniform`.
        rows, columns: Integers of broadcastable shapes.

    Returns:
        float64 of the broadcast shape in [0, 1).
    """
    row_keys = mix(np.asarray(rows, "uint64") + _key(seed, stream))
    with np.errstate(over="ignore"):
        column_keys = np.asarray(columns, "uint64") + np.uint64(1)
        bits = mix(row_keys + column_keys * np.uint64(_GOLDEN))
    bits >>= np.uint64(11)
    return bits.astype("float64") * 2.0**-53


def permute(positions, size, seed, epochs):
    """Maps positions through a pseudo-random permutation of `range(size)`.

    A Feistel network over the next power of four, applied again until the
    value is below `size` (cycle walking): any position without a table.

    Args:
        positions: Integers `(R,)` below `size`.
        size: Length of the permutation.
        seed: Non-negative integer.
        epochs: Integers `(R,)`; each epoch has its own permutation.

    Returns:
        int64 `(R,)`, distinct for distinct positions in the same epoch.
    """
    half_bits = np.uint64(max(1, (int(size - 1).bit_length() + 1) // 2))
    low = np.uint64((1 << int(half_bits)) - 1)
    keys = mix(np.asarray(epochs, "uint64") + _key(seed, "permutation"))
    values = np.asarray(positions, "uint64").copy()
    outside = np.ones(values.shape, bool)
    while outside.any():
        left, right = values[outside] >> half_bits, values[outside] & low
        for round_number in range(4):
            with np.errstate(over="ignore"):
                key = keys[outside] + np.uint64(round_number)
                left, right = right, left ^ (mix(right ^ mix(key)) & low)
        values[outside] = (left << half_bits) | right
        outside = values >= np.uint64(size)
    return values.astype("int64")


def _key(seed, stream):
    seed_key = mix(np.array([seed], "uint64"))
    return mix(seed_key + np.uint64(zlib.crc32(stream.encode())))[0]


def mix(x):
    """The finalizer of SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(_GOLDEN)
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return x
