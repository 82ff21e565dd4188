"""Reads texts and pairs of texts from lists, arrays, tensors and tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from albert_keras.tokenization.text_list import filled_text_list

_TEXT_TYPES = ("object", "str", "string", "category")


def text_columns(x: Any) -> tuple[list[str], ...] | None:
    """Returns one list of texts, or two of equal length for pairs.

    Args:
        x: Texts: a list, a NumPy array, a pandas Series or a tensor of
            strings. Or pairs: a tuple of two of these, a list of
            `(first, second)`, or an array or a table with two columns.

    Returns:
        `(texts,)` or `(texts, pairs)`; None if `x` holds no text.

    Raises:
        ValueError: If `x` is one string, texts are mixed with anything else,
            such as None or NaN, or blank, or pairs are incomplete.
    """
    parts = _parts(x)
    if parts is None:
        return None
    if len(parts) == 1:
        return (filled_text_list(decoded(parts[0])),)
    first, second = (
        filled_text_list(decoded(part), name)
        for part, name in zip(parts, ("texts", "pairs"), strict=True)
    )
    if len(first) != len(second):
        raise ValueError(
            "`texts` and `pairs` must have the same length. Received: "
            f"{len(first)} texts, {len(second)} pairs."
        )
    return first, second


def decoded(texts: Any) -> Any:
    """Decodes the bytes of tensors of strings; returns others unchanged."""
    if hasattr(texts, "numpy") and "string" in str(texts.dtype):
        texts = texts.numpy()
    if getattr(texts, "dtype", None) is not None and (
        getattr(texts.dtype, "kind", "") in ("S", "O")
    ):
        return [
            item.decode("utf-8") if isinstance(item, bytes) else item
            for item in np.asarray(texts).tolist()
        ]
    return texts


def _parts(x):
    """One or two columns, still unchecked; None if `x` holds no text."""
    if isinstance(x, str | bytes):
        return (x,)  # which is refused
    if x is None or isinstance(x, Mapping):
        return None
    if hasattr(x, "columns"):  # a table
        columns = [x[name] for name in x.columns]
        return _one_or_two(x, columns) if _any_text(columns) else None
    if hasattr(x, "dtype"):
        if not _holds_text(x):
            return None
        if len(x.shape) == 2:
            return _one_or_two(x, [x[:, i] for i in range(x.shape[1])])
        return (x,)
    if isinstance(x, tuple) and x and not isinstance(x[0], str | tuple):
        return _one_or_two(x, x) if _any_text(x) else None
    if not isinstance(x, list | tuple):
        return None
    if any(isinstance(row, tuple | list) and _holds_text(row) for row in x):
        return _columns_of_rows(x)
    return (x,) if _holds_text(x) else None


def _any_text(columns):
    return any(_holds_text(column) for column in columns)


def _holds_text(column):
    if hasattr(column, "dtype"):
        name = str(column.dtype)
        is_text = getattr(column.dtype, "kind", "") in ("U", "S")
        return is_text or any(kind in name for kind in _TEXT_TYPES)
    return isinstance(column, list | tuple) and any(
        isinstance(item, str) for item in column
    )


def _one_or_two(x, columns):
    if len(columns) in (1, 2):
        return tuple(columns)
    raise ValueError(
        "Texts must be one column, or two for pairs. Received: "
        f"{type(x).__name__} of {len(columns)} columns. Pass a list of "
        "strings, or a tuple `(texts, pairs)` of two."
    )


def _columns_of_rows(rows):
    for number, row in enumerate(rows):
        if not isinstance(row, tuple | list) or len(row) != 2:
            raise ValueError(
                "Each row must be a pair of strings, as the first ones are. "
                f"Received: {row!r:.60} in row {number}, counted from 0. Pass "
                "a list of `(first, second)`, or a tuple `(texts, pairs)` of "
                "two lists."
            )
    return tuple(list(column) for column in zip(*rows, strict=True))
