"""Parameters of a test of which `make test` runs some only."""

import pytest


def others_slow(values):
    """The values as parameters: the first as it is, the others marked slow.

    Values that are `pytest.param` keep their own marks.
    """
    first, *others = values
    return [first, *map(_slow, others)]


def slow_except(values, *kept):
    """The values as parameters, all marked slow but the kept ones."""
    return [value if value in kept else _slow(value) for value in values]


def _slow(value):
    if hasattr(value, "marks"):
        marks = [*value.marks, pytest.mark.slow]
        return pytest.param(*value.values, marks=marks, id=value.id)
    return pytest.param(value, marks=pytest.mark.slow)
