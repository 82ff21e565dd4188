"""Where in a text the pieces come from."""


def offsets_of_parts(normalized, spans, start, end, parts, is_blank):
    """Offsets into the original text of the parts of one stretch.

    Args:
        normalized: The normalized text.
        spans: For each of its characters (start, end) in the original, see
            `normalize_with_spans`.
        start, end: The stretch in the normalized text that SentencePiece took
            for one piece; it may have a space in front.
        parts: Texts of the pieces it was cut into, without word starts.
        is_blank: Tells of a character whether SentencePiece takes it for
            white space.

    Returns:
        (start, end) in the original for each part.
    """
    while start < end and is_blank(normalized[start]):
        start += 1
    while end > start and is_blank(normalized[end - 1]):
        end -= 1
    one_to_one = sum(map(len, parts)) == end - start
    offsets = []
    for part in parts:
        stop = start + len(part) if one_to_one else end
        offsets.append(_original(spans, start, stop, bool(part)))
        start = stop if one_to_one else start
    return offsets


def _original(spans, start, end, has_text):
    if start == end and has_text and start < len(spans):
        # SentencePiece gave the character to the piece before or after.
        end = start + 1
    if start < end:
        return spans[start][0], spans[end - 1][1]
    if start < len(spans):
        return spans[start][0], spans[start][0]
    place = spans[-1][1] if spans else 0
    return place, place
