"""Encodes texts in parallel, and caches the ids next to their file."""

import dataclasses
import hashlib
import logging
import multiprocessing
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from albert_keras.files.atomic_write import atomic_file
from albert_keras.tokenization.text_list import text_list
from albert_keras.tokenization.tokenizer import AlbertTokenizer

_FORMAT_VERSION = 1
_TEXTS_AT_ONCE = 256
# A worker takes seconds to start, in which one process encodes megabytes.
_CHARACTERS_PER_WORKER = 4_000_000
_logger = logging.getLogger(__name__)


@dataclasses.dataclass
class EncodedTexts:
    """Concatenated ids of many texts.

    Attributes:
        ids: int32 `(n,)`, the ids of all texts.
        bounds: int64 `(N + 1,)`: text i has `ids[bounds[i]:bounds[i + 1]]`.
        offsets: int32 `(n, 2)`, the character offsets of each token in its
            text, see `AlbertTokenizer.encode_with_offsets`; or None.
    """

    ids: np.ndarray
    bounds: np.ndarray
    offsets: np.ndarray | None = None

    def __len__(self):
        return len(self.bounds) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each text, int64 `(N,)`."""
        return np.diff(self.bounds)

    def ids_of(self, index: int) -> np.ndarray:
        """Ids of a text, int32 `(n,)`."""
        return self.ids[self.bounds[index] : self.bounds[index + 1]]

    def offsets_of(self, index: int) -> np.ndarray:
        """Character offsets of a text's tokens, int32 `(n, 2)`."""
        assert self.offsets is not None
        return self.offsets[self.bounds[index] : self.bounds[index + 1]]


def encode_texts(
    tokenizer: AlbertTokenizer,
    texts: Sequence[str],
    offsets: bool = False,
    source: str | Path | None = None,
    workers: int | None = None,
    progress: Callable | None = None,
) -> EncodedTexts:
    """Encodes texts, or loads their ids from the cache.

    The cache is a file next to `source`, named after a hash of the texts, the
    vocabulary and the tokenizer's settings, so that changed texts are encoded
    again. If the folder is not writable, nothing is cached.

    Args:
        tokenizer: An `AlbertTokenizer`.
        texts: A list of strings.
        offsets: Whether to compute character offsets.
        source: Path of the file or folder that the texts were read from; None
            disables the cache.
        workers: Number of encoding processes. None uses one per four million
            characters, and at most one per core.
        progress: Function `(description, total) -> advance(num_texts)`.

    Returns:
        `EncodedTexts`.

    Raises:
        ValueError: If `texts` is a string, or an item is not.
    """
    texts = text_list(texts)
    cache = None
    if source is not None:
        cache = _cache_path(Path(source), tokenizer, texts, offsets)
        found = _read_cache(cache, len(texts))
        if found is not None:
            return found
    characters = sum(map(len, texts))
    if workers is None:
        cores = len(os.sched_getaffinity(0))
        workers = max(1, min(cores, characters // _CHARACTERS_PER_WORKER))
    advance = (
        (lambda count: None)
        if progress is None
        else progress("tokenizing", len(texts))
    )
    encoded = _concatenate(
        _encode_chunks(tokenizer, texts, offsets, workers, advance), offsets
    )
    if cache is not None:
        _write_cache(cache, encoded)
    return encoded


# === Encoding ===


def _encode_chunks(tokenizer, texts, offsets, workers, advance):
    """Yields (lengths, ids, offsets) of each chunk of texts, in order."""
    chunks = [
        texts[start : start + _TEXTS_AT_ONCE]
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    if workers == 1:
        for chunk in chunks:
            yield _encode_chunk(tokenizer, chunk, offsets)
            advance(len(chunk))
        return
    with ProcessPoolExecutor(
        workers,
        # Forking would copy locks held by TensorFlow's threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(tokenizer.model_proto, tokenizer.settings(), offsets),
    ) as pool:
        results = pool.map(_encode_in_worker, chunks)
        for chunk, result in zip(chunks, results, strict=True):
            yield result
            advance(len(chunk))


_worker: dict = {}  # the tokenizer and settings of a worker process


def _start_worker(model_proto, settings, offsets):
    _worker["tokenizer"] = AlbertTokenizer(model_proto, **settings)
    _worker["offsets"] = offsets


def _encode_in_worker(texts):
    return _encode_chunk(_worker["tokenizer"], texts, _worker["offsets"])


def _encode_chunk(tokenizer, texts, offsets):
    if not offsets:
        ids, spans = tokenizer.encode(texts), None
    else:
        ids, found = zip(*tokenizer.encode_with_offsets(texts), strict=True)
        spans = np.array(
            [span for row in found for span in row], "int32"
        ).reshape(-1, 2)
    lengths = np.array([len(row) for row in ids], "int64")
    return lengths, np.array([i for row in ids for i in row], "int32"), spans


def _concatenate(chunks, offsets):
    chunks = list(chunks)
    if not chunks:
        nothing = np.zeros((0, 2), "int32") if offsets else None
        return EncodedTexts(np.zeros(0, "int32"), np.zeros(1, "int64"), nothing)
    lengths, ids, spans = zip(*chunks, strict=True)
    return EncodedTexts(
        np.concatenate(ids),
        np.concatenate([[0], np.cumsum(np.concatenate(lengths))]),
        np.concatenate(spans) if offsets else None,
    )


# === The cache ===


def _cache_path(source, tokenizer, texts, offsets):
    digest = hashlib.sha256()
    settings = (_FORMAT_VERSION, offsets, sorted(tokenizer.settings().items()))
    digest.update(repr((tokenizer.sha256(), settings)).encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    name = f"{source.name}.pieces-{digest.hexdigest()[:16]}.npz"
    return source.with_name(name)


def _read_cache(path, num_texts):
    try:
        with (
            path.open("rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            found = EncodedTexts(
                arrays["ids"], arrays["bounds"], arrays.get("offsets")
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # missing or damaged
    return found if len(found) == num_texts else None


def _write_cache(path, encoded):
    arrays = {"ids": encoded.ids, "bounds": encoded.bounds}
    if encoded.offsets is not None:
        arrays["offsets"] = encoded.offsets
    try:
        with atomic_file(path, "wb") as file:
            np.savez(file, **arrays)
    except OSError as error:
        _logger.warning("The encoded texts are not cached: %s.", error)
