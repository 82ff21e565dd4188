"""Which pieces of a vocabulary begin a word, for whole-word masking."""

import string
import unicodedata
from typing import Any

import numpy as np

from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL

# Punctuation that may occur inside a piece that continues a word. Any other,
# such as an apostrophe, begins a unit wherever it occurs (as in Google's
# release).
_PUNCTUATION = set(string.punctuation) - set("'<=>")
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
    """`begins_word` for every id of an `AlbertTokenizer`.

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
    """Whether a piece begins a unit ("word") of whole-word masking.

    A piece continues the word before it if it does not start with
    `SPACE_SYMBOL` and consists of letters, with or without punctuation. A
    single punctuation mark, a digit and any other symbol is a unit of its
    own, and so is each piece of a script written without spaces.

    This is `_is_start_piece_sp` of Google's `create_pretraining_data.py`,
    except that letters outside ASCII continue a word, too; in Google's rule
    they begin a new one.
    """
    if not piece or piece[0] in (SPACE_SYMBOL, "<", "["):
        return True
    if len(piece) == 1 and piece in _PUNCTUATION:
        return True
    return not all(_continues(character) for character in piece)


def _continues(character):
    if character.isascii() and character.isalpha():
        return True
    if character in _PUNCTUATION:
        return True
    # Unicode letters (L) and the combining marks of their scripts (M).
    return unicodedata.category(character)[0] in "LM" and not unicodedata.name(
        character, ""
    ).startswith(_SCRIPTS_WITHOUT_SPACES)
