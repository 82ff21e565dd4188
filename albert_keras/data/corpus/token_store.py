"""A corpus as token ids on disk, read through memory maps.

A store is a directory with these files:

- `tokens.bin`: uint16, or uint32 for vocabularies of more than 65,536 pieces.
- `sentences.bin` (uint16) and `sentence_bases.bin` (int64): where each
  sentence starts among the tokens, and the end; see `SentenceOffsets`.
- `documents.bin` (int64): where each document starts among the sentences, and
  the end.
- `vocabulary.model`: the SentencePiece model.
- `store.json`: the manifest, with the sizes and checksums of the `.bin` files.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.conversion.keras_format import VOCABULARY_FILE
from albert_keras.data.corpus.sentence_offsets import SentenceOffsets
from albert_keras.data.corpus.store_manifest import OFFSETS, read_manifest
from albert_keras.data.stateless_random import uniform
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class TokenStore:
    """A prepared corpus: token ids on disk, read through memory maps.

    Args:
        directory: Directory that `prepare_corpus` wrote.

    Attributes:
        tokens: Memory map of all token ids.
        sentence_offsets: Where each sentence starts in `tokens`, and the end,
            as `SentenceOffsets`.
        document_offsets: Where each document starts in `sentence_offsets`,
            and the end.
        unigram_entropy: Entropy of the token frequencies in nats: the loss of
            a model that has learned only these.

    Raises:
        ValueError: If the directory is not a store, a file is missing or its
            size has changed, or the vocabulary is not the store's.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.manifest = read_manifest(self.directory)
        for name, expected in self.manifest["files"].items():
            self._check_size(name, expected["bytes"])
        self.tokenizer = AlbertTokenizer(
            self.directory / VOCABULARY_FILE,
            lowercase=self.manifest["lowercase"],
            remove_accents=self.manifest["remove_accents"],
        )
        self.check_vocabulary(self.tokenizer)
        self.tokens = self._map("tokens.bin", self.manifest["dtype"])
        self.sentence_offsets = SentenceOffsets(
            self._map("sentence_bases.bin", OFFSETS),
            self._map("sentences.bin", "uint16"),
        )
        self.document_offsets = self._map("documents.bin", OFFSETS)

    @property
    def vocabulary_size(self) -> int:
        return self.manifest["vocabulary_size"]

    @property
    def unigram_entropy(self) -> float:
        return self.manifest["unigram_entropy"]

    def documents(self, split: str) -> np.ndarray:
        """Returns the indices of the documents of a split.

        Args:
            split: "train", "validation" or "all".

        Raises:
            ValueError: If the split is unknown or empty.
        """
        count = self.manifest["num_documents"]
        if split == "all":
            return np.arange(count)
        if split not in ("train", "validation"):
            raise ValueError(
                "`split` must be 'train', 'validation' or 'all'. "
                f"Received: {split!r}."
            )
        validation = self.manifest["validation"]
        draws = uniform(validation["seed"], "validation", np.arange(count), 1)[
            :, 0
        ]
        held_out = draws < validation["share"]
        chosen = np.flatnonzero(held_out == (split == "validation"))
        if not chosen.size:
            raise ValueError(
                f"{self.directory} has no {split} documents: "
                f"{count} documents with a validation share of "
                f"{validation['share']}. Prepare the corpus with more text "
                "or another `validation_share`."
            )
        return chosen

    def verify(self) -> None:
        """Reads all files and compares their checksums.

        Raises:
            ValueError: If a file has changed since it was written.
        """
        for name, expected in self.manifest["files"].items():
            actual = hashlib.sha256()
            with (self.directory / name).open("rb") as file:
                while block := file.read(1 << 20):
                    actual.update(block)
            if actual.hexdigest() != expected["sha256"]:
                raise ValueError(
                    f"{self.directory / name} is damaged: its checksum "
                    "differs from the one in the manifest. Prepare or copy "
                    "the corpus again."
                )

    def describe_data(self) -> dict[str, Any]:
        """Describes the content, from the manifest, for `check_same_data`."""
        manifest = self.manifest
        return {
            "path": str(self.directory),
            "documents": manifest["num_documents"],
            "tokens": manifest["num_tokens"],
            "validation": manifest["validation"],
            **{
                name: file["sha256"]
                for name, file in sorted(manifest["files"].items())
            },
        }

    def check_vocabulary(self, tokenizer: AlbertTokenizer) -> None:
        """Raises unless the store was prepared with this vocabulary."""
        if tokenizer.sha256() != self.manifest["vocabulary_sha256"]:
            raise ValueError(
                f"The vocabulary {tokenizer.path} does not fit the store "
                f"{self.directory}: its token ids come from another one of "
                f"{self.vocabulary_size} pieces. Use the vocabulary.model "
                "that prepare_corpus wrote there, or prepare the corpus again."
            )

    def _check_size(self, name, expected):
        path = self.directory / name
        actual = path.stat().st_size if path.is_file() else None
        if actual != expected:
            found = "missing" if actual is None else f"{actual} bytes long"
            raise ValueError(
                f"{path} is {found}, expected {expected} bytes. The corpus "
                "was truncated or changed: prepare or copy it again."
            )

    def _map(self, name, dtype):
        return np.memmap(self.directory / name, dtype=dtype, mode="r")
