"""Reads and checks `store.json`, the manifest of a token store."""

from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.corpus.sentence_offsets import BLOCK
from albert_keras.files.strict_json import parse_json

MANIFEST_FILE = "store.json"
FORMAT_VERSION = 2
OFFSETS = "int64"
FILES = ("tokens.bin", "sentences.bin", "sentence_bases.bin", "documents.bin")
_NUMBER = (int, float)
_FIELDS = {
    "num_tokens": int,
    "num_sentences": int,
    "num_documents": int,
    "dtype": str,
    "vocabulary_size": int,
    "vocabulary_sha256": str,
    "lowercase": bool,
    "remove_accents": bool,
    "unigram_entropy": _NUMBER,
    "validation": dict,
    "files": dict,
}


def read_manifest(directory: Path) -> dict[str, Any]:
    """Reads and checks the manifest of a store.

    Raises:
        ValueError: If it is missing, damaged or of another version.
    """
    path = directory / MANIFEST_FILE
    if not path.is_file():
        raise ValueError(
            f"{directory} is not a prepared corpus: {path} does not "
            "exist. Prepare one with recipes/prepare_corpus.py."
        )
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged: {error!r}. Prepare the corpus again."
        ) from error
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, this package reads "
            f"{FORMAT_VERSION}. Prepare the corpus again."
        )
    problem = _problem(manifest)
    if problem:
        raise ValueError(
            f"{path} is damaged: {problem}. Prepare the corpus again."
        )
    return manifest


def _problem(manifest):
    """Describes what is wrong with a manifest; None if nothing is."""
    for name, kind in _FIELDS.items():
        if not _is(manifest.get(name), kind):
            return f"{name} is {manifest.get(name)!r:.60}"
    if manifest["dtype"] not in ("uint16", "uint32"):
        return f"dtype is {manifest['dtype']!r:.60}"
    validation = manifest["validation"]
    if not _is(validation.get("share"), _NUMBER) or not (
        _is(validation.get("seed"), int) and validation["seed"] >= 0
    ):
        return f"validation is {validation!r:.60}"
    # Only these names: others could lead out of the directory.
    if sorted(manifest["files"]) != sorted(FILES):
        return f"files are {sorted(manifest['files'])!r:.200}"
    for name, size in _sizes(manifest).items():
        file = manifest["files"][name]
        if not isinstance(file, dict) or file.get("bytes") != size:
            return f"{name} should have {size} bytes, received {file!r:.60}"
        if not _is(file.get("sha256"), str):
            return f"{name} has no checksum"
    return None


def _sizes(manifest):
    """Returns the expected bytes of each file."""
    sentences = manifest["num_sentences"]
    # The extra sentence and document mark the end.
    blocks = -(-(sentences + 1) // BLOCK)
    offset = np.dtype(OFFSETS).itemsize
    return {
        "tokens.bin": manifest["num_tokens"]
        * np.dtype(manifest["dtype"]).itemsize,
        "sentences.bin": (sentences + 1) * np.dtype("uint16").itemsize,
        "sentence_bases.bin": blocks * offset,
        "documents.bin": (manifest["num_documents"] + 1) * offset,
    }


def _is(value, kind):
    """Whether a value is of a type; True does not count as a number."""
    return isinstance(value, kind) and (
        kind is bool or not isinstance(value, bool)
    )
