"""ALBERT's tokenizer: SentencePiece with the rule for digits and commas."""

import hashlib
from pathlib import Path

import numpy as np
import sentencepiece

from albert_keras.data.text_normalization import normalize_text

VOCABULARY_FILE = "vocabulary.model"
WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"  # SentencePiece's space, "▁"
_SPECIAL_PIECES = {
    "pad_id": "<pad>",
    "unknown_id": "<unk>",
    "cls_id": "[CLS]",
    "sep_id": "[SEP]",
    "mask_id": "[MASK]",
}


class AlbertTokenizer:
    """Text to ids of a SentencePiece vocabulary, as in Google's release.

    The text is normalized (`normalize_text`), cut by SentencePiece, and
    pieces that end in a digit and a comma are cut once more, so that
    "2009," is the year and a comma.

    Args:
        vocabulary: Path of a SentencePiece `.model` with the pieces `<pad>`,
            `<unk>`, `[CLS]`, `[SEP]` and `[MASK]`.
        lowercase, remove_accents: See `normalize_text`.

    Raises:
        ValueError: If the file is missing, is no SentencePiece model or
            lacks one of the special pieces.

    Example:

    ```python
    tokenizer = AlbertTokenizer("30k-clean.model")
    tokenizer.encode(["Hello, world!"])  # [[10975, 15, 126, 187]]
    tokenizer(["Hello, world!"], sequence_length=8)["token_ids"]
    # [[2, 10975, 15, 126, 187, 3, 0, 0]]
    ```
    """

    def __init__(self, vocabulary, lowercase=True, remove_accents=True):
        self.path = Path(vocabulary)
        self.lowercase = lowercase
        self.remove_accents = remove_accents
        self._model = _read(self.path)
        self._processor = _load(self.path, self._model)
        for attribute, piece in _SPECIAL_PIECES.items():
            setattr(self, attribute, self._special_id(piece))
        self._digit_comma_ids = self._find_digit_comma_pieces()

    @classmethod
    def from_pretrained(cls, directory, **kwargs):
        """The tokenizer saved in a directory."""
        path = Path(directory)
        if path.is_dir():
            path = path / VOCABULARY_FILE
        return cls(path, **kwargs)

    def write_pretrained(self, directory):
        """Writes the vocabulary into a pretrained directory."""
        (Path(directory) / VOCABULARY_FILE).write_bytes(self._model)

    @property
    def vocabulary_size(self):
        return self._processor.get_piece_size()

    @property
    def special_ids(self):
        return tuple(getattr(self, name) for name in _SPECIAL_PIECES)

    def sha256(self):
        """Fingerprint of the vocabulary file."""
        return hashlib.sha256(self._model).hexdigest()

    def id_to_piece(self, token_id):
        return self._processor.id_to_piece(int(token_id))

    def piece_to_id(self, piece):
        return self._processor.piece_to_id(piece)

    # === Text to ids ===

    def encode(self, texts, num_threads=1):
        """Ids of each text, without special tokens.

        Args:
            texts: A list of strings.
            num_threads: Threads that SentencePiece uses.

        Returns:
            A list of lists of integers.
        """
        normalized = [
            normalize_text(text, self.lowercase, self.remove_accents)
            for text in texts
        ]
        encoded = self._processor.encode(
            normalized, out_type=int, num_threads=num_threads
        )
        return [self._cut_digit_commas(ids) for ids in encoded]

    def decode(self, token_ids):
        """The text of ids, special tokens left out."""
        special = set(self.special_ids) - {self.unknown_id}
        ids = [int(i) for i in token_ids if int(i) not in special]
        return self._processor.decode(ids)

    def __call__(self, texts, pairs=None, sequence_length=None):
        """A batch for the model: `[CLS] text [SEP]` or with `pair [SEP]`.

        Args:
            texts: A list of strings.
            pairs: Second segments, as many as texts, or None.
            sequence_length: Length to pad and cut to; the longest first is
                cut. None takes the longest of the batch.

        Returns:
            A dictionary of int32 arrays `(B, T)`: `token_ids`,
            `segment_ids`, `padding_mask`.

        Raises:
            ValueError: If `texts` is a string, or the numbers of texts and
                pairs differ, or nothing but special tokens would fit.
        """
        if isinstance(texts, str) or isinstance(pairs, str):
            raise ValueError(
                "`texts` and `pairs` must be lists of strings. "
                f"Received: a string, {(texts, pairs)!r}."
            )
        if pairs is not None and len(pairs) != len(texts):
            raise ValueError(
                "There must be one pair for each text. Received: "
                f"{len(texts)} texts, {len(pairs)} pairs."
            )
        first = self.encode(texts)
        second = [None] * len(first) if pairs is None else self.encode(pairs)
        rows = [
            self._assemble(a, b, sequence_length)
            for a, b in zip(first, second, strict=True)
        ]
        length = sequence_length or max(
            (len(ids) for ids, _ in rows), default=0
        )
        batch = {
            name: np.zeros((len(rows), length), "int32")
            for name in ("token_ids", "segment_ids", "padding_mask")
        }
        batch["token_ids"][:] = self.pad_id
        for row, (ids, segments) in enumerate(rows):
            batch["token_ids"][row, : len(ids)] = ids
            batch["segment_ids"][row, : len(ids)] = segments
            batch["padding_mask"][row, : len(ids)] = 1
        return batch

    def _assemble(self, a, b, sequence_length):
        if sequence_length is not None:
            a, b = _cut_longest_first(a, b, sequence_length)
        ids = [self.cls_id, *a, self.sep_id]
        segments = [0] * len(ids)
        if b is not None:
            ids += [*b, self.sep_id]
            segments += [1] * (len(b) + 1)
        return ids, segments

    # === Digits and commas ===

    def _cut_digit_commas(self, ids):
        if self._digit_comma_ids.keys().isdisjoint(ids):
            return ids
        result = []
        for token_id in ids:
            result.extend(self._digit_comma_ids.get(token_id, (token_id,)))
        return result

    def _find_digit_comma_pieces(self):
        """What each piece that ends in digit and comma is cut into."""
        pieces = (
            (token_id, self.id_to_piece(token_id))
            for token_id in range(self.vocabulary_size)
        )
        return {
            token_id: self._cut_digit_comma(piece)
            for token_id, piece in pieces
            if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()
        }

    def _cut_digit_comma(self, piece):
        text = piece[:-1].replace(WORD_START, "")
        pieces = self._processor.encode(text, out_type=str)
        if not piece.startswith(WORD_START) and pieces[0][0] == WORD_START:
            # SentencePiece put a word start where the piece has none.
            pieces[0] = pieces[0][1:]
            pieces = [p for p in pieces if p]
        return [self.piece_to_id(p) for p in (*pieces, ",")]

    def _special_id(self, piece):
        token_id = self.piece_to_id(piece)
        if self.id_to_piece(token_id) != piece:
            raise ValueError(
                f"{self.path} is not an ALBERT vocabulary: it has no piece "
                f"{piece!r}. Train one with recipes/prepare_corpus.py, or "
                "with these special pieces."
            )
        return token_id


def _read(path):
    if not path.is_file():
        raise ValueError(
            f"The vocabulary {path} does not exist. Pass the path of a "
            "SentencePiece .model file."
        )
    return path.read_bytes()


def _load(path, model):
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"{path} is not a SentencePiece model: {error}"
        ) from error


def _cut_longest_first(a, b, sequence_length):
    special = 2 if b is None else 3
    room = sequence_length - special
    if room < 1:
        raise ValueError(
            "`sequence_length` must leave room for text beside the special "
            f"tokens. Received: {sequence_length}, special tokens {special}."
        )
    if b is None:
        return a[:room], None
    excess = max(len(a) + len(b) - room, 0)
    # The longer loses first; then both in turn, the second on a tie.
    from_a = min(excess, max(len(a) - len(b), 0))
    from_b = min(excess, max(len(b) - len(a), 0))
    rest = excess - from_a - from_b
    from_a, from_b = from_a + rest // 2, from_b + (rest + 1) // 2
    return a[: len(a) - from_a], b[: len(b) - from_b]
