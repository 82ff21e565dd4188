"""Word units as Google's generator defines them, piece by piece."""

import string

_MARKS = set(string.punctuation) - set("'<=>")
_ALLOWED = set(string.ascii_letters) | _MARKS


def google_unit_starts(piece):
    """Whether a piece starts a unit of whole-word masking."""
    if piece[0] in "\u2581<":
        return True
    if len(piece) == 1 and piece in _MARKS:
        return True
    return any(character not in _ALLOWED for character in piece)
