"""Errors that name the extra of a package that is not installed."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Turns a missing package inside the context into a `ValueError`.

    Args:
        extra: Extra of this package that installs it.
        purpose: What needs it, as the subject of the message.
    """
    try:
        yield
    except ImportError as error:
        name = error.name or str(error)
        raise ValueError(
            f"{purpose} needs a package that is not installed: {name}. "
            f"Install it with `pip install 'albert-keras[{extra}]'`."
        ) from error
