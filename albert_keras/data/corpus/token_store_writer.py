"""Writes a token store."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.conversion.keras_format import write_tokenizer
from albert_keras.data.corpus.corpus_statistics import unigram_entropy
from albert_keras.data.corpus.sentence_offsets import OffsetsWriter
from albert_keras.data.corpus.store_manifest import (
    FILES,
    FORMAT_VERSION,
    MANIFEST_FILE,
    OFFSETS,
)
from albert_keras.data.corpus.token_shard import token_dtype

_BLOCK = 1 << 16


class TokenStoreWriter:
    """Writes documents of token ids into a directory.

    A context manager that closes the files on exit.

    Args:
        directory: An existing directory; take it from `atomic_directory` to
            write the store atomically.
        encoder: The `PieceEncoder` of the ids; saved with them.
    """

    def __init__(self, directory: str | Path, encoder: Any) -> None:
        self.directory = Path(directory)
        self.encoder = encoder
        self.dtype = token_dtype(encoder.vocabulary_size)
        self._files = {
            name: (self.directory / name).open("wb") for name in FILES
        }
        self._hashes = {name: hashlib.sha256() for name in FILES}
        self._counts = np.zeros(encoder.vocabulary_size, "int64")
        self._offsets = OffsetsWriter()
        self.num_documents = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for file in self._files.values():
            file.close()

    @property
    def num_tokens(self) -> int:
        return self._offsets.num_tokens

    @property
    def num_sentences(self) -> int:
        return self._offsets.num_sentences

    def add(
        self,
        tokens: np.ndarray,
        sentence_lengths: np.ndarray,
        document_lengths: np.ndarray,
    ) -> None:
        """Adds documents.

        Args:
            tokens: Token ids of all sentences, concatenated.
            sentence_lengths: Number of tokens in each sentence.
            document_lengths: Number of sentences in each document.
        """
        ends = self.num_sentences + np.cumsum(document_lengths, dtype=OFFSETS)
        self._write("tokens.bin", tokens.astype(self.dtype, copy=False))
        self._write("documents.bin", ends - document_lengths)
        for lengths in _blocks(sentence_lengths):
            self._write_offsets(self._offsets.add(lengths))
        for block in _blocks(tokens):
            self._counts += np.bincount(block, minlength=len(self._counts))
        self.num_documents += len(document_lengths)

    def finish(
        self,
        validation_share: float,
        seed: int,
        report: dict[str, Any],
        settings: dict[str, Any],
    ) -> dict[str, Any]:
        """Completes the store, writes its manifest, and returns that.

        Args:
            validation_share: Share of the documents held out.
            seed: Seed of the choice of those documents.
            report: Counts of what was read, dropped and found; recorded.
            settings: Settings of the preparation; recorded.
        """
        self._write_offsets(self._offsets.finish())
        self._write("documents.bin", np.array([self.num_sentences], OFFSETS))
        self.__exit__()
        normalization = self.encoder.normalization
        tokenizer = {
            "lowercase": normalization["lowercase"],
            "remove_accents": normalization["remove_accents"],
        }
        write_tokenizer(
            self.directory,
            self.encoder.model_proto,
            {**tokenizer, "style": "google"},
        )
        unknown = self._counts[self.encoder.special_ids["unknown_id"]]
        manifest = {
            "format": "albert_keras token store",
            "format_version": FORMAT_VERSION,
            "num_tokens": self.num_tokens,
            "num_sentences": self.num_sentences,
            "num_documents": self.num_documents,
            "dtype": self.dtype,
            "vocabulary_size": self.encoder.vocabulary_size,
            "vocabulary_sha256": self.encoder.sha256(),
            **tokenizer,
            "unigram_entropy": unigram_entropy(self._counts),
            "unknown_rate": float(unknown / max(self.num_tokens, 1)),
            "unused_pieces": int((self._counts == 0).sum()),
            "validation": {"share": validation_share, "seed": seed},
            "files": {
                name: {
                    "bytes": (self.directory / name).stat().st_size,
                    "sha256": self._hashes[name].hexdigest(),
                }
                for name in FILES
            },
            "report": report,
            "settings": settings,
        }
        path = self.directory / MANIFEST_FILE
        with path.open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=2)
            file.write("\n")
        return manifest

    def _write_offsets(self, arrays):
        bases, steps = arrays
        self._write("sentence_bases.bin", bases)
        self._write("sentences.bin", steps)

    def _write(self, name, array):
        data = np.ascontiguousarray(array).data.cast("B")
        self._files[name].write(data)
        self._hashes[name].update(data)


def _blocks(array):
    """Yields parts of an array: what is computed takes 8 bytes an element."""
    for start in range(0, len(array), _BLOCK):
        yield array[start : start + _BLOCK]
