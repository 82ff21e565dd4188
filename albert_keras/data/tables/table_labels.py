"""Labels in the cells of a table: the problem they pose, and their classes."""

import ast
import collections
import dataclasses
import functools
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from albert_keras.problems import MULTI_LABEL, REGRESSION, SINGLE_LABEL

SEPARATOR = "|"  # between the labels of a cell
_MANY_NUMBERS = 20
_NUMBERS_SHARE = 0.9  # of the labels of a regression; the rest is broken
_YES_NO = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}


class UnusableLabel(ValueError):
    """A label that cannot be used; the message says why.

    Args:
        reason: Why, as for `TextTable.unusable`.
        found: The label that the row has, or empty.
    """

    def __init__(self, reason, found=""):
        super().__init__(reason)
        self.found = found


@dataclasses.dataclass(frozen=True)
class Labels:
    """The problem that a table poses, and its classes.

    Attributes:
        problem: One of `albert_keras.problems.PROBLEMS`.
        class_names: Names of the classes in the order of their ids; empty for
            a regression.
        columns: Names of the columns of labels. With several columns, each is
            a class.
        reason: Why the problem was chosen.
    """

    problem: str
    class_names: tuple[str, ...]
    columns: tuple[str, ...]
    reason: str = ""

    @property
    def num_classes(self) -> int:
        """Number of model outputs."""
        return len(self.class_names) or 1

    def encode(self, cells: Sequence[Any]) -> Any:
        """Turns the cells of a row into its label.

        Returns:
            A class id, a number, or for "multi_label" a list with 1, 0 or NaN
            (unknown) for each class.

        Raises:
            UnusableLabel: If there is none, or an unknown one.
        """
        if self.problem == REGRESSION:
            number = as_number(cells[0])
            if number is None:
                raise UnusableLabel("have no number as label")
            return number
        if self.problem == SINGLE_LABEL:
            name = label_name(cells[0])
            if not name:
                raise UnusableLabel("have no label")
            return self._id(name)
        if len(self.columns) > 1:
            values = [_yes_or_no(cell) for cell in cells]
            if all(math.isnan(value) for value in values):
                raise UnusableLabel("have no label")
            return values
        if cells[0] is None:
            raise UnusableLabel("have no label")
        ids = {self._id(name) for name in label_names(cells[0])}
        return [float(i in ids) for i in range(self.num_classes)]

    def _id(self, name):
        try:
            return self._ids[name]
        except KeyError:
            raise UnusableLabel(
                f"have a label that is not one of the {self.num_classes} known "
                "ones (line: label)",
                name,
            ) from None

    @functools.cached_property
    def _ids(self):
        return {name: i for i, name in enumerate(self.class_names)}

    def to_array(self, labels: list) -> np.ndarray:
        """Encoded labels as an array for `fit`."""
        if self.problem == SINGLE_LABEL:
            return np.array(labels, "int32").reshape(-1)
        shape = (-1, self.num_classes) if self.problem == MULTI_LABEL else (-1,)
        return np.array(labels, "float32").reshape(shape)


def learn_labels(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str],
    problem: str | None = None,
) -> Labels:
    """Finds the problem and the classes of a training table.

    Args:
        rows: The cells of the columns of labels, for each row.
        columns: Names of these columns.
        problem: One of `albert_keras.problems.PROBLEMS`; None guesses.

    Raises:
        ValueError: If there are no labels or one class only, or the problem
            does not fit the columns.
    """
    reason = "as given"
    if problem is None:
        problem, reason = guess_problem(rows)
    columns = tuple(columns)
    if len(columns) > 1:
        if problem != MULTI_LABEL:
            raise ValueError(
                "Several columns of labels are a class each, for "
                f"`problem='multi_label'`. Received: {problem!r} and "
                f"{len(columns)} columns. Pass one `label_column`."
            )
        return Labels(problem, columns, columns, reason)
    if problem == REGRESSION:
        numbers = {as_number(cells[0]) for cells in rows} - {None}
        if len(numbers) < 2:
            raise ValueError(
                f"The column {columns[0]!r} must hold numbers to predict. "
                f"Received: {len(numbers)} different ones. Pass the column of "
                "the labels as `label_column`, or another `problem`."
            )
        return Labels(problem, (), columns, reason)
    counts: collections.Counter = collections.Counter()
    for (cell,) in rows:
        if problem == MULTI_LABEL:
            counts.update(label_names(cell))
        elif name := label_name(cell):
            counts[name] += 1
    if len(counts) < (2 if problem == SINGLE_LABEL else 1):
        found = ", ".join(map(repr, counts)) or "no label"
        raise ValueError(
            f"The column {columns[0]!r} must hold at least two classes. "
            f"Received: only {found}, in {len(rows):,} rows. Pass the column "
            "of the labels as `label_column`, or add rows of other classes."
        )
    return Labels(problem, tuple(sorted(counts, key=_order)), columns, reason)


def guess_problem(rows: Sequence[Sequence[Any]]) -> tuple[str, str]:
    """Guesses the problem from the labels' cells; returns it and the reason."""
    if rows and len(rows[0]) > 1:
        return MULTI_LABEL, f"{len(rows[0])} columns of labels"
    cells = [row[0] for row in rows if not _is_missing(row[0])]
    if any(_as_list(cell) is not None for cell in cells):
        return MULTI_LABEL, "the labels are lists"
    if any(isinstance(cell, str) and SEPARATOR in cell for cell in cells):
        return MULTI_LABEL, f"labels contain {SEPARATOR!r}"
    numbers = [n for n in map(as_number, cells) if n is not None]
    if numbers and len(numbers) >= _NUMBERS_SHARE * len(cells):
        different = set(numbers)
        fractions = any(number != int(number) for number in different)
        if len(different) > _MANY_NUMBERS or fractions:
            return REGRESSION, (
                f"the labels are {len(different):,} different numbers"
                f"{', with fractions' if fractions else ''}"
            )
    return SINGLE_LABEL, "each row has one of a few labels"


def kinds_of_labels(rows: Sequence[Sequence[Any]]) -> dict[str, int]:
    """How many labels are texts, numbers, booleans or lists, by kind."""
    names = {str: "texts", bool: "booleans", int: "numbers", float: "numbers"}
    return dict(
        collections.Counter(
            names.get(type(cell), "lists or objects")
            for cells in rows
            for cell in cells
            if not _is_missing(cell)
        )
    )


# === Cells ===


def label_name(value: Any) -> str:
    """A label as the name of a class; empty if there is none.

    Whole numbers have no decimals, whatever their type: pandas writes those of
    a column with an empty cell as 1.0.
    """
    if _is_missing(value):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def label_names(value: Any) -> list[str]:
    """The labels of a cell: a list, a list as text, or names between `|`."""
    found = _as_list(value)
    if found is None:
        found = [] if _is_missing(value) else label_name(value).split(SEPARATOR)
    return [name for name in map(label_name, found) if name]


def as_number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _is_missing(value):
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _as_list(value):
    """A list, or the text of one in JSON or Python; None for others."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def _yes_or_no(cell):
    if _is_missing(cell):
        return math.nan
    value = _YES_NO.get(label_name(cell).lower())
    if value is None:
        raise UnusableLabel(
            "have another label than 0 or 1 in a column (line: label)",
            label_name(cell),
        )
    return float(value)


def _order(name):
    """Names that are numbers come first, by their value."""
    number = as_number(name)
    return (number is None, number or 0.0, name)
