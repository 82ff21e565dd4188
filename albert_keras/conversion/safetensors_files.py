"""Reads and writes arrays in safetensors files, which cannot hold code."""

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
    """Yields the arrays' shapes by name, and a function that reads an array.

    Args:
        paths: Files of one model; several if it is sharded.

    Raises:
        ValueError: If a file is missing or damaged.
    """
    with contextlib.ExitStack() as stack:
        file_of = {}
        for path in paths:
            if not path.is_file():
                raise ValueError(
                    f"{path} is missing. Save or copy the model again."
                )
            with _explain_damage(path):
                file = stack.enter_context(safe_open(path, framework="numpy"))
                file_of |= {name: (file, path) for name in file.keys()}
        shapes = {
            name: tuple(file.get_slice(name).get_shape())
            for name, (file, _) in file_of.items()
        }

        def read(name):
            file, path = file_of[name]
            with _explain_damage(path):
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
def _explain_damage(path):
    try:
        yield
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged: {error}. Save or copy the model again."
        ) from error
