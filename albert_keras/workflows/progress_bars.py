"""Progress bars of the recipes, on the first rank."""

import contextlib

from tqdm import tqdm

from albert_keras.training import distributed


@contextlib.contextmanager
def progress_bars(unit="it", unit_scale=False):
    """Yields `(description, total) -> advance(count)`, one bar after another.

    A bar is closed when the next one begins or the block ends, however it
    does.
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
