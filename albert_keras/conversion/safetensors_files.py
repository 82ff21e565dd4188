"""Arrays in safetensors files, which hold no code."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import ml_dtypes  # noqa: F401 (registers bfloat16 with NumPy)
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open


@contextlib.contextmanager
def read_safetensors(
    paths: Iterable[Path],
) -> Iterator[tuple[dict[str, tuple[int, ...]], Callable[[str], np.ndarray]]]:
    """Yields the shapes in files by name, and a function that reads one.

    Args:
        paths: Files of one model; more than one where it is sharded.

    Raises:
        ValueError: If a file is missing or damaged.
    """
    with contextlib.ExitStack() as stack:
        owner = {}
        for path in paths:
            if not path.is_file():
                raise ValueError(
                    f"{path} is missing. Save or copy the model again."
                )
            with _explained(path):
                file = stack.enter_context(safe_open(path, framework="numpy"))
                owner |= {name: (file, path) for name in file.keys()}
        shapes = {
            name: tuple(file.get_slice(name).get_shape())
            for name, (file, _) in owner.items()
        }

        def read(name):
            file, path = owner[name]
            with _explained(path):
                return file.get_tensor(name)

        yield shapes, read


def write_safetensors(
    path: str | Path,
    arrays: dict[str, np.ndarray],
    metadata: dict[str, str] | None = None,
) -> None:
    """Writes arrays by name."""
    contiguous = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
    safetensors.numpy.save_file(contiguous, path, metadata=metadata)


@contextlib.contextmanager
def _explained(path):
    try:
        yield
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged: {error}. Save or copy the model again."
        ) from error
