"""Progress bars of tqdm that follow one another."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def successive_bars(
    **kwargs: Any,
) -> Iterator[Callable[[str, int], Callable[[int], Any]]]:
    """Yields `(description, total) -> advance(count)`, which starts a bar.

    A bar closes when the next one starts or the block ends, also by an error.
    Without tqdm, which is optional, nothing is shown.

    Args:
        **kwargs: Arguments of `tqdm`.
    """
    try:
        from tqdm import tqdm
    except ImportError:  # of the extra `recipes`
        yield lambda description, total: lambda count: None
        return
    with contextlib.ExitStack() as bar:

        def progress(description, total):
            bar.close()
            return bar.enter_context(
                tqdm(total=total, desc=description, **kwargs)
            ).update

        yield progress
