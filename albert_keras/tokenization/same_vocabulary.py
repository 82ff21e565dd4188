"""Checks that a model and its data have the same vocabulary.

Two files may hold the same vocabulary: what counts is that an id stands for
the same piece, and that text is normalized the same way before it is split.
"""

import logging
from pathlib import Path
from typing import Any

from albert_keras.conversion import local_directory
from albert_keras.conversion.formats import format_of, read_tokenizer
from albert_keras.conversion.keras_format import VOCABULARY_FILE
from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.tokenization.tokenizer import AlbertTokenizer

# Text that SentencePiece's ways to normalize (identity, NFKC, case folding,
# any rules of one's own) turn into different results.
_PROBES = (
    *("A b", "É", "ß", "ﬁ", "½", "Ⅳ", "Ａ", "ｶﾞ", "㌔", "①", "…", "İ"),
    *("x\u00a0y", "x\ty", "x\u200by", "x  y", "\u0301", "`` ''", "“x”"),
)
_RULES = ("lowercase", "remove_accents")
_logger = logging.getLogger(__name__)


def check_same_vocabulary(
    source: str | Path,
    tokenizer: AlbertTokenizer,
    data: str | Path,
    remedy: str,
    may_lack: bool = False,
) -> None:
    """Checks that a pretrained model has the vocabulary of the data.

    Args:
        source: The model: a directory of any format, or a hub handle.
        tokenizer: The tokenizer of the data.
        data: Name of the data in the message.
        remedy: How to proceed if they differ.
        may_lack: Whether the source may have no vocabulary, which otherwise
            causes a warning.

    Raises:
        ValueError: If an id stands for different pieces, or text is
            normalized differently.
    """
    with local_directory(source) as directory:
        found = _read(directory)
    if found is None or found["vocabulary"] is None:
        if not may_lack:
            _logger.warning(
                "%s has no vocabulary: whether the model was trained with "
                "that of %s is not checked. Results are poor if it was not.",
                source,
                data,
            )
        return
    theirs = AlbertTokenizer(found["vocabulary"], **found["tokenizer"])
    difference = vocabulary_difference(theirs, tokenizer, found["tokenizer"])
    if difference:
        raise ValueError(
            f"The model of {source} has another vocabulary than {data}: "
            f"{difference}. {remedy}"
        )


def vocabulary_difference(
    theirs: AlbertTokenizer,
    ours: AlbertTokenizer,
    known: dict[str, Any] | None = None,
) -> str | None:
    """Describes how two vocabularies differ; None if they are the same.

    Args:
        theirs, ours: The tokenizers.
        known: The settings that the source of `theirs` states: Google's and
            KerasHub's formats state no rules for case and accents. None for
            all.
    """
    if theirs.sha256() != ours.sha256():
        difference = _piece_difference(theirs, ours)
        difference = difference or _normalization_difference(theirs, ours)
        if difference:
            return difference
    for rule in _RULES:
        values = getattr(theirs, rule), getattr(ours, rule)
        if (known is None or rule in known) and values[0] != values[1]:
            return f"its {rule} is {values[0]}, not {values[1]}"
    return None


def check_vocabulary_size(tokenizer: AlbertTokenizer, model: Any) -> None:
    """Raises unless a model's token embedding has an id for each piece."""
    size = model.config.vocabulary_size
    if tokenizer.vocabulary_size != size:
        raise ValueError(
            f"{tokenizer.path} has {tokenizer.vocabulary_size} pieces, the "
            f"model's token embedding {size}. Pass the vocabulary that the "
            "model was trained with."
        )


def _read(directory):
    """What `read_tokenizer` reads; None if the directory has no tokenizer."""
    if not (directory / VOCABULARY_FILE).is_file():
        if not directory.is_dir() or format_of(directory) is None:
            return None
    return read_tokenizer(directory)


def _piece_difference(theirs, ours):
    one, other = (
        t.encoder.processor.id_to_piece(list(range(t.vocabulary_size)))
        for t in (theirs, ours)
    )
    if len(one) != len(other):
        return f"it has {len(one):,} pieces, not {len(other):,}"
    different = [i for i, piece in enumerate(one) if piece != other[i]]
    if not different:
        return None
    first = different[0]
    return (
        f"{len(different):,} of {len(one):,} ids stand for other pieces, such "
        f"as {first} for {one[first]!r}, not {other[first]!r}"
    )


def _normalization_difference(theirs, ours):
    for text in _PROBES:
        one, other = (_normalize(t, text) for t in (theirs, ours))
        if one != other:
            return (
                f"its SentencePiece model turns {text!r} into {one!r}, not "
                f"{other!r}"
            )
    return None


def _normalize(tokenizer, text):
    normalized = tokenizer.encoder.processor.normalize(f"x{text}x")
    return normalized.strip(f" {SPACE_SYMBOL}")  # of the start of a text
