"""ALBERT's text normalization, before SentencePiece's own."""

import re
import unicodedata

_WORD = re.compile(r"\S+")
_QUOTES = re.compile(r"``|''")
_LAST_COMBINING = 0x1FFFF  # no plane beyond has any
_DROP_COMBINING = dict.fromkeys(
    code
    for code in range(0x300, _LAST_COMBINING)
    if unicodedata.combining(chr(code))
)


def normalize_text(
    text: str,
    lowercase: bool = True,
    remove_accents: bool = True,
    unify_quotes: bool = False,
) -> str:
    """Collapses white space, removes accents and lowercases.

    As in Google's release: white space runs become one space and the ends
    are stripped; NFKD; combining characters dropped; lower case.

    Args:
        text: A string.
        lowercase: Whether to lowercase. The English vocabulary has no
            capitals, each would become `<unk>`.
        remove_accents: Whether to decompose and drop combining characters.
        unify_quotes: Whether to turn `` and '' into ", which Hugging Face and
            XLNet do and Google's release does not.

    Returns:
        The normalized string.
    """
    if unify_quotes:
        text = _QUOTES.sub('"', text)
    if "  " in text or not text.isprintable():
        text = " ".join(text.split())
    else:  # no white space but single spaces: quick
        text = text.strip()
    if remove_accents and not text.isascii():
        text = _without_accents(text)
    return text.lower() if lowercase else text


def normalize_with_spans(
    text: str,
    lowercase: bool = True,
    remove_accents: bool = True,
    unify_quotes: bool = False,
) -> tuple[str, list[tuple[int, int]]]:
    """`normalize_text`, and where each character comes from.

    Args:
        text, lowercase, remove_accents, unify_quotes: As `normalize_text`.

    Returns:
        The normalized string, and for each of its characters the stretch of
        `text` that it was made of as (start, end). A dropped combining
        character belongs to the character before it in its word.
    """
    spans = []
    previous_end = None
    for word in _WORD.finditer(text):
        if previous_end is not None:
            spans.append((previous_end, word.start()))  # the space
        previous_end = word.end()
        first = len(spans)
        for start, end in _units(text, *word.span(), unify_quotes):
            unit = '"' if end - start > 1 else text[start:end]
            if remove_accents:
                unit = _without_accents(unit)
            if lowercase:
                unit = unit.lower()
            if unit:
                spans += [(start, end)] * len(unit)
            elif len(spans) > first:
                _extend(spans, first, end)
    normalized = normalize_text(text, lowercase, remove_accents, unify_quotes)
    return normalized, spans


def _units(text, start, end, unify_quotes):
    """The characters of a stretch; quotes of two marks count as one."""
    while start < end:
        pair = unify_quotes and text[start : start + 2] in ("``", "''")
        width = 2 if pair and start + 2 <= end else 1
        yield start, start + width
        start += width


def _extend(spans, first, end):
    """Lets everything made of the last character reach up to `end`."""
    last = spans[-1]
    for index in range(len(spans) - 1, first - 1, -1):
        if spans[index] != last:
            break
        spans[index] = (last[0], end)


def _without_accents(text):
    return unicodedata.normalize("NFKD", text).translate(_DROP_COMBINING)
