"""A shard: a part of a corpus as tokens, before it is merged."""

import collections
import hashlib
import itertools
import json
from pathlib import Path

import numpy as np

from albert_keras.data.corpus.plan import SHARD_FILE
from albert_keras.data.corpus.sentence_offsets import split_long
from albert_keras.files.atomic_write import atomic_directory

_UNKNOWN_SAMPLE = 100  # sentences per shard whose unknown pieces are listed
_UNKNOWN_LISTED = 50
_ENCODED_AT_ONCE = 8192  # sentences
ARRAYS = {
    "tokens": None,  # depends on the vocabulary, see `token_dtype`
    "sentence_lengths": "uint16",
    "document_lengths": "uint32",
    "digests": "uint64",
    "signatures": "uint32",
}


def token_dtype(vocabulary_size: int) -> str:
    """Returns the smallest dtype that holds the token ids."""
    return "uint16" if vocabulary_size <= 1 << 16 else "uint32"


class TokenShard:
    """Encodes documents in memory and writes them as one shard.

    Args:
        encoder: A `PieceEncoder`.
        fingerprints: `(texts, ids) of documents -> arrays` by name, see
            `deduplication`; None stores none.

    Attributes:
        counts: Numbers of documents, words and characters read or dropped.
    """

    def __init__(self, encoder, fingerprints=None):
        self.encoder = encoder
        self.fingerprints = fingerprints
        self.counts = collections.Counter()
        self._unknown = collections.Counter()
        self._unknown_sampled = 0
        self._arrays = collections.defaultdict(list)

    def add(self, documents):
        """Encodes documents, each a list of sentences.

        Drops sentences without tokens, and documents of fewer than two
        tokens, which cannot form a pair of segments.
        """
        sentences = [s for document in documents for s in document]
        if not sentences:
            return
        texts = self.encoder.normalize(sentences)
        ids, lengths = self._encode(texts)
        document_of = np.repeat(
            np.arange(len(documents)), [len(d) for d in documents]
        )
        num_tokens = np.bincount(document_of, lengths, len(documents))
        is_kept = num_tokens >= 2
        self.counts["documents_too_short"] += int((~is_kept).sum())
        if not is_kept.all():
            ids = ids[np.repeat(is_kept[document_of], lengths)]
        is_sentence = is_kept[document_of] & (lengths > 0)
        kept_lengths = lengths[is_sentence]
        self._count(texts, is_sentence, ids, kept_lengths)
        if self.fingerprints:
            ends = np.cumsum(num_tokens[is_kept].astype("int64"))
            self._fingerprint(
                texts, document_of, is_kept, np.split(ids, ends[:-1])
            )
        new_lengths, parts = split_long(kept_lengths)
        self._append("tokens", ids)
        self._append("sentence_lengths", new_lengths)
        self._append(
            "document_lengths",
            np.bincount(document_of[is_sentence], parts, len(documents))[
                is_kept
            ],
        )

    def write(self, directory, **record):
        """Writes the shard atomically.

        Args:
            directory: Directory to create.
            **record: Further fields of its `shard.json`.
        """
        files = {}
        with atomic_directory(directory) as temporary:
            for name, arrays in self._arrays.items():
                digest = hashlib.sha256()
                with (temporary / f"{name}.bin").open("wb") as file:
                    for array in arrays:
                        file.write(array)
                        digest.update(array)
                files[name] = digest.hexdigest()
            record = {
                **record,
                "counts": self.counts,
                "unknown": self._unknown.most_common(_UNKNOWN_LISTED),
                "files": files,
            }
            (temporary / SHARD_FILE).write_text(json.dumps(record), "utf-8")

    def _encode(self, texts):
        """Encodes in batches: SentencePiece takes 1 kB for each sentence."""
        batches = [
            self.encoder.encode_flat(texts[start : start + _ENCODED_AT_ONCE])
            for start in range(0, len(texts), _ENCODED_AT_ONCE)
        ]
        ids, lengths = zip(*batches, strict=True)
        return np.concatenate(ids), np.concatenate(lengths)

    def _append(self, name, array):
        dtype = ARRAYS[name] or token_dtype(self.encoder.vocabulary_size)
        self._arrays[name].append(np.asarray(array).astype(dtype))

    def _fingerprint(self, texts, document_of, is_kept, ids_of_documents):
        if not is_kept.any():
            return
        bounds = np.searchsorted(document_of, np.arange(len(is_kept) + 1))
        kept_texts = [
            "\n".join(texts[bounds[d] : bounds[d + 1]])
            for d in np.flatnonzero(is_kept)
        ]
        found = self.fingerprints(kept_texts, ids_of_documents)
        for name, array in found.items():
            self._append(name, array)

    def _count(self, texts, is_kept, ids, lengths):
        """Counts words, characters, and unknown pieces of some sentences.

        Args:
            texts: Texts of all sentences.
            is_kept: Whether each sentence is kept.
            ids, lengths: Token ids and lengths of the kept sentences.
        """
        kept = list(itertools.compress(texts, is_kept))
        self.counts["words"] += len(kept) + "\n".join(kept).count(" ")
        self.counts["characters"] += sum(map(len, kept))
        unknown_id = self.encoder.special_ids["unknown_id"]
        positions = np.flatnonzero(ids == unknown_id)
        text_of = np.searchsorted(np.cumsum(lengths), positions, "right")
        remaining = _UNKNOWN_SAMPLE - self._unknown_sampled
        processor = self.encoder.processor
        for number in np.unique(text_of)[:remaining]:
            self._unknown_sampled += 1
            self._unknown.update(
                piece
                for piece in processor.encode(kept[number], out_type=str)
                if processor.piece_to_id(piece) == unknown_id
            )


def read_array(directory, record, name, vocabulary_size):
    """Reads an array of a shard and checks its checksum.

    Raises:
        ValueError: If the file differs from what was written.
    """
    path = Path(directory) / f"{name}.bin"
    dtype = ARRAYS[name] or token_dtype(vocabulary_size)
    if name not in record["files"]:  # a shard without documents
        return np.zeros(0, dtype)
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != record["files"][name]:
        raise ValueError(
            f"{path} is damaged: its checksum differs from the recorded one. "
            f"Remove {directory} and run the same command again."
        )
    return np.frombuffer(data, dtype)
