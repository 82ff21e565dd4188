"""Character offsets of tokens in the original text."""


def part_offsets(normalized, spans, start, end, parts, is_blank):
    """Offsets in the original text of the parts of one SentencePiece piece.

    Args:
        normalized: The normalized text.
        spans: (start, end) in the original text of each character of
            `normalized`, see `normalize_with_spans`.
        start, end: The piece's range in `normalized`; it may include
            surrounding white space.
        parts: Texts of the tokens that the piece was split into, without
            SentencePiece's space symbol.
        is_blank: Function of a character: whether SentencePiece treats it as
            white space.

    Returns:
        (start, end) in the original text for each part. If the parts' lengths
        do not add up to the piece's, each part gets the whole range.
    """
    while start < end and is_blank(normalized[start]):
        start += 1
    while end > start and is_blank(normalized[end - 1]):
        end -= 1
    one_to_one = sum(map(len, parts)) == end - start
    offsets = []
    for part in parts:
        stop = start + len(part) if one_to_one else end
        offsets.append(_original_span(spans, start, stop, bool(part)))
        start = stop if one_to_one else start
    return offsets


def _original_span(spans, start, end, has_text):
    if start == end and has_text and start < len(spans):
        # SentencePiece assigned the character to a neighboring piece.
        end = start + 1
    if start < end:
        return spans[start][0], spans[end - 1][1]
    if start < len(spans):
        return spans[start][0], spans[start][0]
    place = spans[-1][1] if spans else 0
    return place, place
