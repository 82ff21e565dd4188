"""Progress bars of the recipes, shown by the first rank."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm

from albert_keras.training import distributed


@contextlib.contextmanager
def progress_bars(
    unit: str = "it", unit_scale: bool = False
) -> Iterator[Callable[[str, int], Callable[[int], Any]]]:
    """Yields `(description, total) -> advance(count)`, which starts a bar.

    A bar closes when the next one starts or the block ends, also by an error.
    """
    with contextlib.ExitStack() as bar:

        def progress(description, total):
            bar.close()
            return bar.enter_context(
                tqdm(
                    total=total,
                    desc=description,
                    unit=unit,
                    unit_scale=unit_scale,
                    disable=distributed.rank() > 0,
                )
            ).update

        yield progress
