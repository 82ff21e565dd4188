"""Parameters of a test of which `make test` runs the first only."""

import pytest


def others_slow(values):
    """The values as parameters: the first as it is, the others marked slow."""
    first, *others = values
    return [
        first,
        *(pytest.param(value, marks=pytest.mark.slow) for value in others),
    ]
