"""Which pieces of a vocabulary begin a word."""

import string
import unicodedata
from typing import Any

import numpy as np

from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL

# Marks that may stand inside of a longer continuation piece; the others, an
# apostrophe among them, begin a unit wherever they stand (as in Google's
# release).
_MARKS = set(string.punctuation) - set("'<=>")
_SCRIPTS_WITHOUT_SPACES = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
)


def word_begin_mask(tokenizer: Any) -> np.ndarray:
    """For each id of an `AlbertTokenizer`, whether its piece begins a word.

    Returns:
        A boolean array `(vocabulary_size,)`.
    """
    return np.array(
        [
            begins_word(tokenizer.id_to_piece(token_id))
            for token_id in range(tokenizer.vocabulary_size)
        ]
    )


def begins_word(piece: str) -> bool:
    """Whether a piece begins a unit of whole-word masking.

    A piece continues the previous word if it has no word-start marker and
    consists of letters, alone or with marks. A single mark, a digit or any
    other symbol is a unit of its own, and so is each piece of a script that
    puts no spaces between words. Google's rule, which also cuts words at
    letters outside of ASCII; here those continue.
    """
    if not piece or piece[0] in (SPACE_SYMBOL, "<", "["):
        return True
    if len(piece) == 1 and piece in _MARKS:
        return True
    return not all(_continues(character) for character in piece)


def _continues(character):
    if character in _MARKS or (character.isascii() and character.isalpha()):
        return True
    # Letters and the marks that stand over, under and between them.
    return unicodedata.category(character)[0] in "LM" and not unicodedata.name(
        character, ""
    ).startswith(_SCRIPTS_WITHOUT_SPACES)
