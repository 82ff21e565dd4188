"""Encodes texts as SentencePiece ids, many at once.

Shared by the tokenizer and the worker processes that prepare a corpus.
Depends on SentencePiece and NumPy only, so that workers start quickly.
"""

import functools
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sentencepiece

from albert_keras.tokenization.special_tokens import SPECIAL_TOKENS
from albert_keras.tokenization.text_list import text_list
from albert_keras.tokenization.text_normalization import normalize_text

# "▁", which SentencePiece writes for a space; most words begin with it.
SPACE_SYMBOL = "\N{LOWER ONE EIGHTH BLOCK}"
# Before 0.2.2, SentencePiece returned ids only as lists of Python integers.
_RETURNS_ARRAYS = not sentencepiece.__version__ < "0.2.2"


class PieceEncoder:
    """A SentencePiece model with ALBERT's normalization and digit rule.

    Args:
        model_proto: The serialized model.
        lowercase, remove_accents, unify_quotes: See `normalize_text`.
        path: Origin of the model, for error messages.

    Attributes:
        special_ids: Ids of the special tokens, by the keys of
            `SPECIAL_TOKENS`.

    Raises:
        ValueError: If `model_proto` is not a SentencePiece model, or lacks a
            special token.
    """

    def __init__(
        self,
        model_proto: bytes,
        lowercase: bool = True,
        remove_accents: bool = True,
        unify_quotes: bool = False,
        path: str | Path = "the vocabulary",
    ) -> None:
        self.model_proto = model_proto
        self.normalization = {
            "lowercase": lowercase,
            "remove_accents": remove_accents,
            "unify_quotes": unify_quotes,
        }
        try:
            self.processor = sentencepiece.SentencePieceProcessor(
                model_proto=model_proto
            )
            self.vocabulary_size = self.processor.get_piece_size()
            self._pieces()
        except (RuntimeError, OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{path} is not a SentencePiece model: {error}"
            ) from error
        self.special_ids = {
            name: self._special_id(piece, path)
            for name, piece in SPECIAL_TOKENS.items()
        }

    def sha256(self) -> str:
        """SHA-256 of the serialized model."""
        return hashlib.sha256(self.model_proto).hexdigest()

    def normalize(self, texts: Sequence[str]) -> list[str]:
        """Applies `normalize_text` to each text."""
        return [
            normalize_text(text, **self.normalization)
            for text in text_list(texts)
        ]

    def encode(
        self, texts: Sequence[str], num_threads: int = 1
    ) -> list[list[int]]:
        """Normalizes and encodes texts.

        Args:
            texts: A list of strings.
            num_threads: Number of SentencePiece threads.

        Returns:
            The ids of each text, a list of lists of integers.
        """
        encoded = self.processor.encode(
            self.normalize(texts), out_type=int, num_threads=num_threads
        )
        return [self._split_digit_commas(ids) for ids in encoded]

    def encode_flat(
        self, normalized: list[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Encodes texts into one array, without a Python integer per id.

        Args:
            normalized: A list of strings from `normalize`.

        Returns:
            int32 `(N,)`, the concatenated ids of all texts, and int64, the
            number of ids of each text.
        """
        if not normalized:
            return np.zeros(0, "int32"), np.zeros(0, "int64")
        if _RETURNS_ARRAYS:
            arrays = self.processor.encode(
                normalized, return_type="numpy", num_threads=1
            )
        else:
            arrays = [
                np.array(ids, "int32")
                for ids in self.processor.encode(
                    normalized, out_type=int, num_threads=1
                )
            ]
        lengths = np.fromiter(map(len, arrays), "int64", len(arrays))
        return self._split_digit_commas_flat(np.concatenate(arrays), lengths)

    def _pieces(self):
        return self.processor.id_to_piece(list(range(self.vocabulary_size)))

    def _special_id(self, piece, path):
        token_id = self.processor.piece_to_id(piece)
        # An unknown piece has the id of <unk>; an empty model has no ids.
        is_valid = token_id < self.vocabulary_size
        if not is_valid or self.processor.id_to_piece(token_id) != piece:
            raise ValueError(
                f"{path} is not an ALBERT vocabulary: it has no piece "
                f"{piece!r}. Train one with recipes/prepare_corpus.py, or "
                "add the special tokens "
                f"{', '.join(SPECIAL_TOKENS.values())} to yours."
            )
        return token_id

    # === Digits and commas: "2009," becomes the year and a comma ===

    def _split_digit_commas(self, ids):
        if self.digit_comma_ids.keys().isdisjoint(ids):
            return ids
        result = []
        for token_id in ids:
            result.extend(self.digit_comma_ids.get(token_id, (token_id,)))
        return result

    def _split_digit_commas_flat(self, ids, lengths):
        """The same for ids `(N,)` of many texts with the given lengths."""
        positions = np.flatnonzero(self._is_digit_comma[ids])
        if not positions.size:
            return ids, lengths
        parts = [self.digit_comma_ids[i] for i in ids[positions].tolist()]
        added = np.fromiter(map(len, parts), "int64", len(parts)) - 1
        text = np.searchsorted(np.cumsum(lengths), positions, "right")
        lengths = lengths + np.bincount(text, added, len(lengths)).astype(int)
        rest = list(itertools.chain.from_iterable(part[1:] for part in parts))
        ids = ids.copy()
        ids[positions] = [part[0] for part in parts]
        return np.insert(ids, np.repeat(positions + 1, added), rest), lengths

    @functools.cached_property
    def digit_comma_ids(self):
        """Ids that replace each piece that ends in a digit and a comma."""
        return {
            token_id: self._split_digit_comma(piece)
            for token_id, piece in enumerate(self._pieces())
            if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()
        }

    @functools.cached_property
    def _is_digit_comma(self):
        is_digit_comma = np.zeros(self.vocabulary_size, bool)
        is_digit_comma[list(self.digit_comma_ids)] = True
        return is_digit_comma

    def _split_digit_comma(self, piece):
        text = piece[:-1].replace(SPACE_SYMBOL, "")
        pieces = self.processor.encode(text, out_type=str)
        if not piece.startswith(SPACE_SYMBOL) and pieces[0][0] == SPACE_SYMBOL:
            # SentencePiece begins every text with a space; remove it.
            pieces[0] = pieces[0][1:]
            pieces = [p for p in pieces if p]
        return [self.processor.piece_to_id(p) for p in (*pieces, ",")]
