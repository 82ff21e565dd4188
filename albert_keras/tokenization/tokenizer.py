"""ALBERT's tokenizer: SentencePiece with the rule for digits and commas."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from albert_keras.conversion import local_directory
from albert_keras.conversion.formats import read_tokenizer
from albert_keras.conversion.keras_format import write_tokenizer
from albert_keras.tokenization.character_offsets import offsets_of_parts
from albert_keras.tokenization.packing import lay_out
from albert_keras.tokenization.sentencepiece_encoder import (
    SPACE_SYMBOL,
    PieceEncoder,
)
from albert_keras.tokenization.special_tokens import split_special_pieces
from albert_keras.tokenization.text_normalization import normalize_with_spans

STYLES = ("google", "huggingface")


class AlbertTokenizer:
    """Text to ids of a SentencePiece vocabulary, as in Google's release.

    The text is normalized (`normalize_text`), cut by SentencePiece, and
    pieces that end in a digit and a comma are cut once more, so that
    "2009," is the year and a comma.

    Args:
        vocabulary: A SentencePiece model with the pieces `<pad>`, `<unk>`,
            `[CLS]`, `[SEP]` and `[MASK]`: the path of a `.model`, or its
            bytes.
        lowercase, remove_accents: See `normalize_text`.
        style: `"google"`, or `"huggingface"` for the ids that Hugging Face's
            tokenizer gives: `` and '' become ", and special pieces that are
            typed in the text, such as [MASK], are taken for what they name.

    Raises:
        ValueError: If the file is missing, is no SentencePiece model or
            lacks one of the special pieces, or the style is unknown.

    Example:

    ```python
    tokenizer = AlbertTokenizer("30k-clean.model")
    tokenizer.encode(["Hello, world!"])  # [[10975, 15, 126, 187]]
    tokenizer(["Hello, world!"], sequence_length=8)["token_ids"]
    # [[2, 10975, 15, 126, 187, 3, 0, 0]]
    ```
    """

    # Ids of the special pieces, see `SPECIAL_PIECES`.
    pad_id: int
    unknown_id: int
    cls_id: int
    sep_id: int
    mask_id: int

    def __init__(
        self,
        vocabulary: str | Path | bytes,
        lowercase: bool = True,
        remove_accents: bool = True,
        style: str = "google",
    ) -> None:
        if style not in STYLES:
            raise ValueError(
                f"`style` must be one of {STYLES}. Received: {style!r}."
            )
        self.path: str | Path
        if isinstance(vocabulary, bytes):
            self.path, model_proto = "the vocabulary", vocabulary
        else:
            self.path = Path(vocabulary)
            model_proto = _read(self.path)
        self.lowercase = lowercase
        self.remove_accents = remove_accents
        self.style = style
        self.encoder = PieceEncoder(
            model_proto,
            lowercase,
            remove_accents,
            unify_quotes=style == "huggingface",
            path=self.path,
        )
        self._processor = self.encoder.processor
        for attribute, token_id in self.encoder.special_ids.items():
            setattr(self, attribute, token_id)
        self._blank = {}

    @classmethod
    def from_pretrained(
        cls, source: str | Path, **kwargs: Any
    ) -> "AlbertTokenizer":
        """The tokenizer of a pretrained model.

        Args:
            source: A directory, an archive or a hub's handle, as for
                `AlbertBackbone.from_pretrained`; a prepared corpus; or a
                SentencePiece file. Hugging Face's directories give the style
                `"huggingface"`.
            **kwargs: `lowercase`, `remove_accents` or `style`, in place of
                what the source says.

        Raises:
            ValueError: If the source is of no known kind, cannot be reached,
                or has no SentencePiece vocabulary.
        """
        if Path(source).suffix in (".model", ".spm"):
            return cls(source, **kwargs)
        with local_directory(source) as directory:
            found = read_tokenizer(directory)
        if found["vocabulary"] is None:
            raise ValueError(
                f"{source} holds no SentencePiece vocabulary. Pass the path "
                "of a .model file."
            )
        return cls(found["vocabulary"], **{**found["tokenizer"], **kwargs})

    def write_pretrained(self, directory: str | Path) -> None:
        """Writes vocabulary and settings into an existing directory."""
        write_tokenizer(Path(directory), self.model_proto, self.settings())

    def settings(self) -> dict[str, Any]:
        """The arguments beside the vocabulary."""
        return {
            "lowercase": self.lowercase,
            "remove_accents": self.remove_accents,
            "style": self.style,
        }

    @property
    def model_proto(self) -> bytes:
        return self.encoder.model_proto

    @property
    def vocabulary_size(self) -> int:
        return self.encoder.vocabulary_size

    @property
    def special_ids(self) -> tuple[int, ...]:
        return tuple(self.encoder.special_ids.values())

    def sha256(self) -> str:
        """Fingerprint of the vocabulary file."""
        return self.encoder.sha256()

    def id_to_piece(self, token_id: int) -> str:
        return self._processor.id_to_piece(int(token_id))

    def piece_to_id(self, piece: str) -> int:
        return self._processor.piece_to_id(piece)

    # === Text to ids ===

    def encode(
        self, texts: Sequence[str], num_threads: int = 1
    ) -> list[list[int]]:
        """Ids of each text, without special tokens around it.

        Args:
            texts: A list of strings.
            num_threads: Threads that SentencePiece uses.

        Returns:
            A list of lists of integers.
        """
        if self.style == "huggingface":
            return self._encode_between_special_pieces(texts, num_threads)
        return self.encoder.encode(texts, num_threads)

    def encode_with_offsets(
        self, texts: Sequence[str]
    ) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Ids of each text, and where in the text each comes from.

        Args:
            texts: A list of strings.

        Returns:
            A list of (ids, offsets) with offsets (start, end) in characters
            of the text as it was given: `text[start:end]` is what the piece
            was made of, without white space. Where a character becomes more
            than one piece, as ½ does, each has the whole of it. A piece that
            is nothing but a word start has start = end.
        """
        return [self._encode_one_with_offsets(text) for text in texts]

    def decode(self, token_ids: Iterable[int]) -> str:
        """The text of ids, special tokens left out."""
        special = set(self.special_ids) - {self.unknown_id}
        ids = [int(i) for i in token_ids if int(i) not in special]
        return self._processor.decode(ids)

    def __call__(
        self,
        texts,
        pairs=None,
        sequence_length=None,
        return_offsets=False,
        num_threads=1,
    ):
        """A batch for the model: `[CLS] text [SEP]` or with `pair [SEP]`.

        Args:
            texts: A list of strings.
            pairs: Second segments, as many as texts, or None.
            sequence_length: Length to pad and cut to; the longest first is
                cut. None takes the longest of the batch.
            return_offsets: Whether to add `offsets`.
            num_threads: Threads that SentencePiece uses.

        Returns:
            A dictionary of int32 arrays `(B, T)`: `token_ids`,
            `segment_ids`, `padding_mask`. With offsets also `offsets`
            `(B, T, 2)`, see `encode_with_offsets`: into the text in segment
            0, into the pair in segment 1; 0 at special tokens and padding.

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
        segments = [texts] if pairs is None else [texts, pairs]
        if not return_offsets:
            return lay_out(
                [self.encode(part, num_threads) for part in segments],
                self,
                sequence_length,
            )
        encoded = [self.encode_with_offsets(part) for part in segments]
        return lay_out(
            [[ids for ids, _ in part] for part in encoded],
            self,
            sequence_length,
            [[offsets for _, offsets in part] for part in encoded],
        )

    # === One text ===

    def _encode_between_special_pieces(self, texts, num_threads):
        """Each stretch between typed special pieces is encoded by itself."""
        parts = [split_special_pieces(text) for text in texts]
        plain = [
            text[start:end]
            for text, stretches in zip(texts, parts, strict=True)
            for piece, start, end in stretches
            if piece is None
        ]
        encoded = iter(self.encoder.encode(plain, num_threads))
        return [
            [
                token_id
                for piece, _, _ in stretches
                for token_id in (
                    next(encoded)
                    if piece is None
                    else [self.piece_to_id(piece)]
                )
            ]
            for stretches in parts
        ]

    def _encode_one_with_offsets(self, text):
        stretches: list[tuple[str | None, int, int]] = [(None, 0, len(text))]
        if self.style == "huggingface":
            stretches = split_special_pieces(text)
        ids, offsets = [], []
        for piece, start, end in stretches:
            if piece is None:
                found, spans = self._align(text[start:end])
                ids += found
                offsets += [(start + a, start + b) for a, b in spans]
            else:
                ids.append(self.piece_to_id(piece))
                offsets.append((end - len(piece), end))
        return ids, offsets

    def _align(self, text):
        """Ids and offsets of a text without typed special pieces."""
        normalized, spans = normalize_with_spans(
            text, **self.encoder.normalization
        )
        ids, offsets = [], []
        end = 0
        for token_id, surface in _surfaces(self._processor, normalized):
            # What is left out between two surfaces, if anything, is blank.
            start = max(normalized.find(surface, end), end)
            end = start + len(surface)
            parts = self.encoder.digit_comma_ids.get(token_id, (token_id,))
            ids += parts
            texts = [self._text_of(part) for part in parts]
            offsets += offsets_of_parts(
                normalized, spans, start, end, texts, self._is_blank
            )
        return ids, offsets

    def _is_blank(self, character):
        """Whether it is white space, to SentencePiece's own map as well."""
        if character not in self._blank:
            normalized = self._processor.normalize(character)
            self._blank[character] = normalized.strip(f" {SPACE_SYMBOL}") == ""
        return self._blank[character]

    def _text_of(self, token_id):
        return self.id_to_piece(token_id).replace(SPACE_SYMBOL, "")


def _read(path):
    if not path.is_file():
        raise ValueError(
            f"The vocabulary {path} does not exist. Pass the path of a "
            "SentencePiece .model file."
        )
    return path.read_bytes()


def _surfaces(processor, text):
    """Ids of a text with the stretch of it that each was made of.

    The stretches follow one another. Their positions are characters in one
    version of sentencepiece and bytes in another, so the caller looks for
    them.
    """
    if sentencepiece.__version__ < "0.2.2":
        result = processor.encode(text, out_type="immutable_proto")
    else:
        result = processor.encode(text, return_type="proto")
    return [(piece.id, piece.surface) for piece in result.pieces]
