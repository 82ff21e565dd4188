"""The special tokens of ALBERT's vocabularies, and splitting text at them."""

import re

# `AlbertTokenizer`'s attribute for each id, and its piece in the vocabulary.
SPECIAL_TOKENS = {
    "pad_id": "<pad>",
    "unknown_id": "<unk>",
    "cls_id": "[CLS]",
    "sep_id": "[SEP]",
    "mask_id": "[MASK]",
}
# [MASK] absorbs the white space before it, as in Hugging Face's files.
_TYPED = re.compile(r"\s*(\[MASK\])|(\[CLS\]|\[SEP\]|<pad>|<unk>)")


def split_at_special_tokens(text: str) -> list[tuple[str | None, int, int]]:
    """Splits a text at the special tokens typed in it.

    Args:
        text: A string.

    Returns:
        A list of (token, start, end) that covers the text in order; the
        token is None for ordinary text.
    """
    parts: list[tuple[str | None, int, int]] = []
    position = 0
    for match in _TYPED.finditer(text):
        if match.start() > position:
            parts.append((None, position, match.start()))
        parts.append((match[1] or match[2], *match.span()))
        position = match.end()
    if position < len(text):
        parts.append((None, position, len(text)))
    return parts
