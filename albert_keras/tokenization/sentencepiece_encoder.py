"""Normalized text to SentencePiece ids, many texts at once.

What the tokenizer and the processes that prepare a corpus share. Needs
SentencePiece and NumPy alone, so that those processes start quickly.
"""

import functools
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sentencepiece

from albert_keras.tokenization.special_tokens import SPECIAL_PIECES
from albert_keras.tokenization.text_normalization import normalize_text

SPACE_SYMBOL = "\N{LOWER ONE EIGHTH BLOCK}"  # SentencePiece's space, "▁"
# Before 0.2.2, SentencePiece gave ids as lists of Python integers only.
_GIVES_ARRAYS = not sentencepiece.__version__ < "0.2.2"


class PieceEncoder:
    """A SentencePiece model with the rules for text around it.

    Args:
        model_proto: The model's bytes.
        lowercase, remove_accents, unify_quotes: See `normalize_text`.
        path: Where it comes from, for messages.

    Attributes:
        special_ids: Ids of the special pieces, by the names that
            `SPECIAL_PIECES` has.

    Raises:
        ValueError: If it is no SentencePiece model, or lacks one of the
            special pieces.
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
            for name, piece in SPECIAL_PIECES.items()
        }

    def sha256(self) -> str:
        """Fingerprint of the model."""
        return hashlib.sha256(self.model_proto).hexdigest()

    def normalize(self, texts: Sequence[str]) -> list[str]:
        """`normalize_text` of each."""
        return [normalize_text(text, **self.normalization) for text in texts]

    def encode(
        self, texts: Sequence[str], num_threads: int = 1
    ) -> list[list[int]]:
        """Ids of each text.

        Args:
            texts: A list of strings.
            num_threads: Threads that SentencePiece uses.

        Returns:
            A list of lists of integers.
        """
        encoded = self.processor.encode(
            self.normalize(texts), out_type=int, num_threads=num_threads
        )
        return [self._cut_digit_commas(ids) for ids in encoded]

    def encode_flat(
        self, normalized: list[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ids of texts as one array, without a Python integer for each.

        Args:
            normalized: A list of strings that `normalize` gave.

        Returns:
            int32 ids `(N,)`, one text after another, and the number of ids
            of each text.
        """
        if not normalized:
            return np.zeros(0, "int32"), np.zeros(0, "int64")
        if _GIVES_ARRAYS:
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
        return self._cut_digit_commas_flat(np.concatenate(arrays), lengths)

    def _pieces(self):
        return self.processor.id_to_piece(list(range(self.vocabulary_size)))

    def _special_id(self, piece, path):
        token_id = self.processor.piece_to_id(piece)
        is_there = token_id < self.vocabulary_size  # none is, if it is empty
        if not is_there or self.processor.id_to_piece(token_id) != piece:
            raise ValueError(
                f"{path} is not an ALBERT vocabulary: it has no piece "
                f"{piece!r}. Train one with recipes/prepare_corpus.py, or "
                "with these special pieces."
            )
        return token_id

    # === Digits and commas ===

    def _cut_digit_commas(self, ids):
        if self.digit_comma_ids.keys().isdisjoint(ids):
            return ids
        result = []
        for token_id in ids:
            result.extend(self.digit_comma_ids.get(token_id, (token_id,)))
        return result

    def _cut_digit_commas_flat(self, ids, lengths):
        is_cut, parts = self._digit_comma_table
        places = np.flatnonzero(is_cut[ids])
        if not places.size:
            return ids, lengths
        cut = [parts[token_id] for token_id in ids[places].tolist()]
        more = np.fromiter(map(len, cut), "int64", len(cut)) - 1
        text = np.searchsorted(np.cumsum(lengths), places, "right")
        lengths = lengths + np.bincount(text, more, len(lengths)).astype(int)
        rest = list(itertools.chain.from_iterable(part[1:] for part in cut))
        ids = ids.copy()
        ids[places] = [part[0] for part in cut]
        return np.insert(ids, np.repeat(places + 1, more), rest), lengths

    @functools.cached_property
    def digit_comma_ids(self):
        """What each piece that ends in digit and comma is cut into."""
        return self._find_digit_comma_pieces()

    @functools.cached_property
    def _digit_comma_table(self):
        is_cut = np.zeros(self.vocabulary_size, bool)
        is_cut[list(self.digit_comma_ids)] = True
        return is_cut, self.digit_comma_ids

    def _find_digit_comma_pieces(self):
        return {
            token_id: self._cut_digit_comma(piece)
            for token_id, piece in enumerate(self._pieces())
            if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()
        }

    def _cut_digit_comma(self, piece):
        text = piece[:-1].replace(SPACE_SYMBOL, "")
        pieces = self.processor.encode(text, out_type=str)
        if not piece.startswith(SPACE_SYMBOL) and pieces[0][0] == SPACE_SYMBOL:
            # SentencePiece put a word start where the piece has none.
            pieces[0] = pieces[0][1:]
            pieces = [p for p in pieces if p]
        return [self.processor.piece_to_id(p) for p in (*pieces, ",")]
