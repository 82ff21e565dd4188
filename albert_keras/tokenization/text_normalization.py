"""ALBERT's text normalization, applied before SentencePiece's own."""

import re
import unicodedata

_WORD = re.compile(r"\S+")
_QUOTES = re.compile(r"``|''")
_LAST_COMBINING = 0x1FFFF  # there are none in the planes above
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

    The steps of Google's release, in order: runs of white space become one
    space and the ends are stripped; NFKD; combining characters are removed;
    lower case.

    Args:
        text: A string.
        lowercase: Whether to lowercase. The English vocabulary has no
            capital letters: each would become `<unk>`.
        remove_accents: Whether to decompose characters (NFKD) and remove
            combining ones.
        unify_quotes: Whether to turn `` and '' into ", as Hugging Face and
            XLNet do and Google's release does not.

    Returns:
        The normalized string.
    """
    if unify_quotes:
        text = _QUOTES.sub('"', text)
    if "  " in text or not text.isprintable():
        text = " ".join(text.split())
    else:  # fast path: single spaces are the only white space
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
    """`normalize_text`, with the source span of each output character.

    Args:
        text, lowercase, remove_accents, unify_quotes: As `normalize_text`.

    Returns:
        The normalized string, and for each of its characters the span
        (start, end) of `text` that it was made from. A removed combining
        character extends the span of the character before it in its word.
    """
    spans = []
    previous_end = None
    for word in _WORD.finditer(text):
        if previous_end is not None:
            spans.append((previous_end, word.start()))  # the space
        previous_end = word.end()
        first = len(spans)
        for start, end in _source_spans(text, *word.span(), unify_quotes):
            source = '"' if end - start > 1 else text[start:end]
            if remove_accents:
                source = _without_accents(source)
            if lowercase:
                source = source.lower()
            if source:
                spans += [(start, end)] * len(source)
            elif len(spans) > first:
                _extend_last(spans, first, end)
    normalized = normalize_text(text, lowercase, remove_accents, unify_quotes)
    return normalized, spans


def _source_spans(text, start, end, unify_quotes):
    """Yields the span of each character; a two-mark quote counts as one."""
    while start < end:
        pair = unify_quotes and text[start : start + 2] in ("``", "''")
        width = 2 if pair and start + 2 <= end else 1
        yield start, start + width
        start += width


def _extend_last(spans, first, end):
    """Extends to `end` the spans of all output of the last source character."""
    last = spans[-1]
    for index in range(len(spans) - 1, first - 1, -1):
        if spans[index] != last:
            break
        spans[index] = (last[0], end)


def _without_accents(text):
    return unicodedata.normalize("NFKD", text).translate(_DROP_COMBINING)
