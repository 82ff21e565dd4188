"""The special pieces of ALBERT's vocabularies, and finding them in text."""

import re

SPECIAL_PIECES = {
    "pad_id": "<pad>",
    "unknown_id": "<unk>",
    "cls_id": "[CLS]",
    "sep_id": "[SEP]",
    "mask_id": "[MASK]",
}
# [MASK] takes the white space before it along, as in Hugging Face's files.
_TYPED = re.compile(r"\s*(\[MASK\])|(\[CLS\]|\[SEP\]|<pad>|<unk>)")


def split_special_pieces(text: str) -> list[tuple[str | None, int, int]]:
    """Cuts a text at the special pieces that are typed in it.

    Args:
        text: A string.

    Returns:
        A list of (piece, start, end): stretches of the text in order, with
        None for the piece where there is none.
    """
    stretches: list[tuple[str | None, int, int]] = []
    place = 0
    for match in _TYPED.finditer(text):
        if match.start() > place:
            stretches.append((None, place, match.start()))
        stretches.append((match[1] or match[2], *match.span()))
        place = match.end()
    if place < len(text):
        stretches.append((None, place, len(text)))
    return stretches
