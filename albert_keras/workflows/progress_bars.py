"""Progress bars of the recipes, shown by the first rank."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from albert_keras.progress_bars import successive_bars
from albert_keras.training import distributed


def progress_bars(
    unit: str = "it", unit_scale: bool = False
) -> AbstractContextManager[Callable[[str, int], Callable[[int], Any]]]:
    """Returns a context of `successive_bars`, in this unit."""
    return successive_bars(
        unit=unit, unit_scale=unit_scale, disable=distributed.rank() > 0
    )
