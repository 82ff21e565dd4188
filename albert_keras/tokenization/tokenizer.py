"""ALBERT's tokenizer: SentencePiece plus a rule for digits and commas."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from albert_keras.conversion import local_directory
from albert_keras.conversion.formats import read_tokenizer
from albert_keras.conversion.keras_format import write_tokenizer
from albert_keras.tokenization.character_offsets import part_offsets
from albert_keras.tokenization.packing import pack_segments
from albert_keras.tokenization.sentencepiece_encoder import (
    SPACE_SYMBOL,
    PieceEncoder,
)
from albert_keras.tokenization.special_tokens import split_at_special_tokens
from albert_keras.tokenization.text_list import text_list
from albert_keras.tokenization.text_normalization import normalize_with_spans

STYLES = ("google", "huggingface")


class AlbertTokenizer:
    """Converts text to the token ids of Google's ALBERT release.

    The text is normalized (`normalize_text`) and tokenized by SentencePiece;
    a token that ends in a digit and a comma is split again, so that "2009,"
    becomes the year and a comma.

    Args:
        vocabulary: A SentencePiece model with the pieces `<pad>`, `<unk>`,
            `[CLS]`, `[SEP]` and `[MASK]`: the path of a `.model` file, or its
            bytes.
        lowercase, remove_accents: See `normalize_text`.
        style: `"google"`, or `"huggingface"` for the ids of Hugging Face's
            tokenizer: `` and '' become ", and special tokens typed in the
            text, such as [MASK], are recognized.

    Raises:
        ValueError: If the file is missing, is not a SentencePiece model or
            lacks a special token, or `style` is unknown.

    Example:

    ```python
    tokenizer = AlbertTokenizer("30k-clean.model")
    tokenizer.encode(["Hello, world!"])  # [[10975, 15, 126, 187]]
    tokenizer(["Hello, world!"], sequence_length=8)["token_ids"]
    # [[2, 10975, 15, 126, 187, 3, 0, 0]]
    ```
    """

    # Ids of the special tokens, see `SPECIAL_TOKENS`.
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
        """Loads the tokenizer of a pretrained model.

        Args:
            source: A directory, an archive or a hub handle, as for
                `AlbertBackbone.from_pretrained`; a prepared corpus; or a
                SentencePiece file. A Hugging Face directory implies the style
                `"huggingface"`.
            **kwargs: `lowercase`, `remove_accents` or `style`, which override
                the source's settings.

        Raises:
            ValueError: If the format of the source is unknown, it cannot be
                reached, or it has no SentencePiece vocabulary.
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
        """Writes vocabulary and settings to an existing directory."""
        write_tokenizer(Path(directory), self.model_proto, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments other than the vocabulary."""
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
        """SHA-256 of the vocabulary file."""
        return self.encoder.sha256()

    def id_to_piece(self, token_id: int) -> str:
        return self._processor.id_to_piece(int(token_id))

    def piece_to_id(self, piece: str) -> int:
        return self._processor.piece_to_id(piece)

    # === Text to ids ===

    def encode(
        self, texts: Sequence[str], num_threads: int = 1
    ) -> list[list[int]]:
        """Encodes texts, without adding special tokens.

        Args:
            texts: A list of strings.
            num_threads: Number of SentencePiece threads.

        Returns:
            The ids of each text, a list of lists of integers.

        Raises:
            ValueError: If `texts` is a string, or an item is not.
        """
        texts = text_list(texts)
        if self.style == "huggingface":
            return self._encode_around_special_tokens(texts, num_threads)
        return self.encoder.encode(texts, num_threads)

    def encode_with_offsets(
        self, texts: Sequence[str]
    ) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Encodes texts, with the character offsets of each token.

        Args:
            texts: A list of strings.

        Returns:
            A list of (ids, offsets). Offsets are (start, end) in characters
            of the original text: the token was made from `text[start:end]`,
            without surrounding white space. If one character becomes several
            tokens, as ½ does, each has that character's offsets. A token that
            is only SentencePiece's space symbol has start = end.

        Raises:
            ValueError: If `texts` is a string, or an item is not.
        """
        return [
            self._encode_one_with_offsets(text) for text in text_list(texts)
        ]

    def decode(self, token_ids: Iterable[int]) -> str:
        """Converts the ids of one text to text, without special tokens."""
        if isinstance(token_ids, str):
            raise ValueError(
                "`token_ids` must be a list of integers. Received: "
                f"{token_ids!r:.60}. Pass the ids of `encode`."
            )
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
        """Builds a batch: `[CLS] text [SEP]`, or with `pair [SEP]` at the end.

        Args:
            texts: A list of strings; a NumPy array or a pandas Series, too.
            pairs: Second segments, one per text, or None.
            sequence_length: Length T to truncate and pad to; the longer
                segment is truncated first. None uses the longest row.
            return_offsets: Whether to return `offsets` as well.
            num_threads: Number of SentencePiece threads.

        Returns:
            A dictionary of int32 arrays `(B, T)`: `token_ids`,
            `segment_ids`, `padding_mask`. With `return_offsets` also
            `offsets` `(B, T, 2)`, see `encode_with_offsets`: in the text for
            segment 0, in the pair for segment 1; 0 at special tokens and
            padding.

        Raises:
            ValueError: If `texts` or `pairs` is a string, an item is not,
                they differ in length, or `sequence_length` only fits the
                special tokens.
        """
        segments = [text_list(texts)]
        if pairs is not None:
            segments.append(text_list(pairs, "pairs"))
            if len(segments[1]) != len(segments[0]):
                raise ValueError(
                    "`texts` and `pairs` must have the same length. Received: "
                    f"{len(segments[0])} texts, {len(segments[1])} pairs."
                )
        if not return_offsets:
            return pack_segments(
                [self.encode(part, num_threads) for part in segments],
                self,
                sequence_length,
            )
        encoded = [self.encode_with_offsets(part) for part in segments]
        return pack_segments(
            [[ids for ids, _ in part] for part in encoded],
            self,
            sequence_length,
            [[offsets for _, offsets in part] for part in encoded],
        )

    # === One text ===

    def _encode_around_special_tokens(self, texts, num_threads):
        """Encodes the parts between typed special tokens separately."""
        parts_of_texts = [split_at_special_tokens(text) for text in texts]
        plain = [
            text[start:end]
            for text, parts in zip(texts, parts_of_texts, strict=True)
            for special, start, end in parts
            if special is None
        ]
        encoded = iter(self.encoder.encode(plain, num_threads))
        return [
            [
                token_id
                for special, _, _ in parts
                for token_id in (
                    next(encoded)
                    if special is None
                    else [self.piece_to_id(special)]
                )
            ]
            for parts in parts_of_texts
        ]

    def _encode_one_with_offsets(self, text):
        parts: list[tuple[str | None, int, int]] = [(None, 0, len(text))]
        if self.style == "huggingface":
            parts = split_at_special_tokens(text)
        ids, offsets = [], []
        for special, start, end in parts:
            if special is None:
                part_ids, spans = self._align(text[start:end])
                ids += part_ids
                offsets += [(start + a, start + b) for a, b in spans]
            else:
                ids.append(self.piece_to_id(special))
                offsets.append((end - len(special), end))
        return ids, offsets

    def _align(self, text):
        """Ids and offsets of a text without typed special tokens."""
        normalized, spans = normalize_with_spans(
            text, **self.encoder.normalization
        )
        ids, offsets = [], []
        end = 0
        for token_id, surface in _surfaces(self._processor, normalized):
            # Anything skipped between two surfaces is white space.
            start = max(normalized.find(surface, end), end)
            end = start + len(surface)
            parts = self.encoder.digit_comma_ids.get(token_id, (token_id,))
            ids += parts
            texts = [self._piece_text(part) for part in parts]
            offsets += part_offsets(
                normalized, spans, start, end, texts, self._is_blank
            )
        return ids, offsets

    def _is_blank(self, character):
        """Whether SentencePiece's normalization leaves only white space."""
        if character not in self._blank:
            normalized = self._processor.normalize(character)
            self._blank[character] = normalized.strip(f" {SPACE_SYMBOL}") == ""
        return self._blank[character]

    def _piece_text(self, token_id):
        return self.id_to_piece(token_id).replace(SPACE_SYMBOL, "")


def _read(path):
    if not path.is_file():
        raise ValueError(
            f"The vocabulary {path} does not exist. Pass the path of a "
            "SentencePiece .model file."
        )
    return path.read_bytes()


def _surfaces(processor, text):
    """Ids of a text's pieces, each with the part of the text it covers.

    The parts are in order. SentencePiece reports their positions in
    characters or in bytes, depending on its version, so the caller searches
    for them instead.
    """
    if sentencepiece.__version__ < "0.2.2":
        result = processor.encode(text, out_type="immutable_proto")
    else:
        result = processor.encode(text, return_type="proto")
    return [(piece.id, piece.surface) for piece in result.pieces]
