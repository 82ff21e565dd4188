"""An export with its tokenizer: texts to rows, rows to outputs."""

from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.conversion.huggingface_tokenizer import VOCABULARY_FILE
from albert_keras.exporting.manifest import Manifest
from albert_keras.exporting.needed_packages import needs
from albert_keras.exporting.run_export import FILES, ExportedModel
from albert_keras.files.text_files import has_surrogates
from albert_keras.text_tasks.requests import task_of_requests
from albert_keras.text_tasks.text_task import TextTask
from albert_keras.tokenization.tokenizer import AlbertTokenizer

_EXTRAS = {"saved_model": "tensorflow"}


class TextPredictor:
    """A loaded export.

    Args:
        directory: Directory that `recipes/export.py` wrote.
        threads: Number of threads of the runtime; None lets it choose.

    Attributes:
        manifest: Its `Manifest`.
        tokenizer: Its `AlbertTokenizer`.

    Raises:
        ValueError: If it is no export, is damaged, or its runtime is not
            installed.
    """

    def __init__(
        self, directory: str | Path, threads: int | None = None
    ) -> None:
        directory = Path(directory)
        self.manifest = Manifest.read(directory)
        self.tokenizer = AlbertTokenizer(
            directory / VOCABULARY_FILE, **self.manifest.tokenizer
        )
        path = directory / FILES[self.manifest.format]
        if not path.exists():
            raise ValueError(f"{path} is missing. Export the model again.")
        format = self.manifest.format
        with needs(_EXTRAS.get(format, format), f"An export to {format}"):
            self._model = ExportedModel(
                format, self.manifest.precision, path, threads
            )

    def encode(self, requests: Any) -> TextTask:
        """Encodes a list of requests, see `task_of_requests`.

        Raises:
            ValueError: If one is of another form, blank or no Unicode text.
        """
        for row, request in enumerate(
            requests if isinstance(requests, list) else ()
        ):
            if any(map(has_surrogates, _strings(request))):
                raise ValueError(
                    "`texts` must be Unicode text. Received: half of a "
                    f"surrogate pair in item {row}, counted from 0."
                )
        return task_of_requests(self.manifest.facts, self.tokenizer, requests)

    def run(self, rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Runs the model on rows of any lengths.

        Args:
            rows: For each row its inputs, `(1, ..., T)`.

        Returns:
            Outputs `(B, ...)`.
        """
        return self._model(padded(rows, self.tokenizer.pad_id))


def padded(
    rows: list[dict[str, np.ndarray]], pad_id: int
) -> dict[str, np.ndarray]:
    """Joins rows, padded on their last axis to the longest."""
    batch = {}
    for name in rows[0]:
        width = max(row[name].shape[-1] for row in rows)
        fill = pad_id if name == "token_ids" else 0
        shape = (len(rows), *rows[0][name].shape[1:-1], width)
        batch[name] = np.full(shape, fill, "int32")
        for number, row in enumerate(rows):
            values = row[name]
            batch[name][number, ..., : values.shape[-1]] = values[0]
    return batch


def _strings(value):
    """All strings in a JSON value of at most two levels."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, list):
                yield from (text for text in item if isinstance(text, str))
            elif isinstance(item, str):
                yield item
