"""Checks lists of texts: a string is none, and every item is a string."""

from collections.abc import Iterable, Mapping
from typing import Any


def text_list(texts: Any, name: str = "texts") -> list[str]:
    """Returns texts as a list of strings.

    Args:
        texts: A list, a tuple, a NumPy array, a pandas Series or another
            ordered iterable of strings.
        name: Name of the argument, for messages.

    Raises:
        ValueError: If `texts` is a string or no list, or an item is not a
            string, such as None or NaN; names the first such row, counted
            from 0.
    """
    check_is_list(texts, name)
    rows = list(texts)
    if all(type(text) is str for text in rows):
        return rows
    wrong = [row for row, text in enumerate(rows) if not isinstance(text, str)]
    if wrong:
        check_is_text(rows[wrong[0]], name, wrong[0], len(wrong) - 1)
    return [str(text) for text in rows]  # of subclasses, such as NumPy's


def filled_text_list(texts: Any, name: str = "texts") -> list[str]:
    """Returns texts as a list of strings that are not blank.

    Args:
        texts, name: As for `text_list`.

    Raises:
        ValueError: As for `text_list`, or if a text is empty or white space
            only; names the first such row, counted from 0.
    """
    rows = text_list(texts, name)
    blank = [row for row, text in enumerate(rows) if not text.strip()]
    if blank:
        others = f", and {len(blank) - 1} more such rows" if blank[1:] else ""
        raise ValueError(
            f"`{name}` must hold texts. Received: {rows[blank[0]]!r:.60}, "
            f"which is empty, in row {blank[0]}, counted from 0{others}. "
            "Remove these rows, or replace them by texts."
        )
    return rows


def check_is_list(texts: Any, name: str) -> None:
    """Raises a `ValueError` unless `texts` is an ordered iterable of items."""
    if isinstance(texts, str | bytes):
        received = f"{type(texts).__name__} {texts!r:.60}"
    elif (
        isinstance(texts, Mapping | set | frozenset)
        or not isinstance(texts, Iterable)
        or getattr(texts, "ndim", 1) != 1  # arrays and tables
    ):
        received = type(texts).__name__
        if hasattr(texts, "shape"):
            received += f" of the shape {tuple(texts.shape)}"
    else:
        return
    raise ValueError(
        f"`{name}` must be a list of strings. Received: {received}. Pass a "
        "list, also for one string: `[text]`."
    )


def check_is_text(text: Any, name: str, row: int, more: int = 0) -> None:
    """Raises a `ValueError` unless an item of a list is a string.

    Args:
        text: The item.
        name: Name of the list, for messages.
        row: Index of the item.
        more: Number of other items that are no strings.
    """
    if isinstance(text, str):
        return
    others = f", and {more} more rows that are no strings" if more else ""
    raise ValueError(
        f"`{name}` must be a list of strings. Received: {text!r:.60} "
        f"({type(text).__name__}) in row {row}, counted from 0{others}. "
        "Remove these rows, or replace them by strings."
    )
