"""Progress bars of the recipes, on the first rank."""

import contextlib

from tqdm import tqdm

from albert_keras.training import distributed


@contextlib.contextmanager
def progress_bars(unit="it", unit_scale=False):
    """Yields `(description, total) -> advance(count)`, for a bar each.

    They are closed when the block ends, however it does.
    """
    with contextlib.ExitStack() as bars:

        def progress(description, total):
            bar = tqdm(
                total=total,
                desc=description,
                unit=unit,
                unit_scale=unit_scale,
                disable=distributed.rank() > 0,
            )
            return bars.enter_context(bar).update

        yield progress
