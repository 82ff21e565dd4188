"""Splits paragraphs into sentences."""

import re
from collections.abc import Callable

# A sentence ends after ., ! or ?, closing quotes and brackets, and white
# space, if the next character can start a sentence.
_SENTENCE_END = re.compile(
    r"""(?<![.!?])[.!?][.!?]*["'”’)\]]*(\s+)(?=["'“‘(\[]?\s?[^\W_a-z])"""
)
# After Chinese and Japanese end marks it always ends.
_WIDE_MARKS = re.compile("[。！？｡]")
_WIDE_SENTENCE_END = re.compile(
    _SENTENCE_END.pattern + r"""|[。！？｡][。！？｡]*["'”’)\]」』）】》]*(\s*)"""
)
_ABBREVIATIONS = frozenset(
    "Mr Mrs Ms Dr Prof St Jr Sr vs etc No Nos Vol Fig Figs Sgt Capt Gen Lt Col "
    "Gov Sen Rep Inc Ltd Co Corp cf al ca approx Ave Blvd Jan Feb Mar Apr Jun "
    "Jul Aug Sep Sept Oct Nov Dec Mt Ft pp ed eds".split()
)
_DOTTED_LETTERS = re.compile(r"[A-Za-z]\.(?:[A-Za-z]\.)*[A-Za-z]?")
_AFTER_OPENING = re.compile(r"[\s(\[\"']")
_MAX_WORD = 40  # characters to search back for the last word


def sentence_splitter(
    language: str | None = None,
) -> Callable[[str], list[str]]:
    """Returns a function that splits a paragraph into sentences.

    Args:
        language: None for the simple rule of `split_sentences`; or a language
            code such as "de" for the rules of Wikimedia's sentencex, which
            has abbreviations and punctuation for about 240 languages.

    Raises:
        ValueError: If sentencex is not installed.
    """
    if language is None:
        return split_sentences
    try:
        import sentencex
    except ImportError as error:
        raise ValueError(
            f"Splitting sentences by the rules of {language!r} needs "
            "sentencex: pip install sentencex. Without `language`, a simple "
            "rule is used."
        ) from error

    def split(paragraph):
        found = sentencex.segment(language, paragraph)
        return [text for sentence in found if (text := sentence.strip())]

    return split


def split_sentences(paragraph: str) -> list[str]:
    """Splits a paragraph into sentences by punctuation and capitals.

    A sentence ends at an end mark followed by white space and a character
    other than a lowercase letter, or at a full-width end mark. Initials and
    common English abbreviations do not end a sentence.
    """
    paragraph = paragraph.strip()
    sentences, start = [], 0
    is_wide = not paragraph.isascii() and _WIDE_MARKS.search(paragraph)
    pattern = _WIDE_SENTENCE_END if is_wide else _SENTENCE_END
    for match in pattern.finditer(paragraph):
        end = match.start(match.lastindex or 0)
        if paragraph[end - 1] == "." and _is_abbreviation(
            paragraph[max(start, end - _MAX_WORD) : end - 1]
        ):
            continue
        sentences.append(paragraph[start:end])
        start = match.end()
    if start < len(paragraph):
        sentences.append(paragraph[start:])
    return sentences


def _is_abbreviation(text):
    """Whether the text before a period ends with an abbreviation."""
    word = text[text.rfind(" ") + 1 :]
    if not word.isalpha():
        word = _AFTER_OPENING.split(word)[-1]
        if "." in word:
            return _DOTTED_LETTERS.fullmatch(word) is not None
    if len(word) == 1:
        return "A" <= word <= "Z"
    return word in _ABBREVIATIONS
