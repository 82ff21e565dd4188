"""Segments laid out as a batch: special tokens, cutting, padding."""

import itertools

import numpy as np


def lay_out(segments, tokenizer, sequence_length=None, offsets=None):
    """`[CLS] first [SEP]`, or `[CLS] first [SEP] second [SEP]`, as arrays.

    Args:
        segments: One or two lists with the ids of each row.
        tokenizer: Has `pad_id`, `cls_id` and `sep_id`.
        sequence_length: Length T to cut and pad to; None takes the longest.
        offsets: As segments, with (start, end) for each id; or None.

    Returns:
        int32 arrays `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`;
        with offsets also `offsets` `(B, T, 2)`.

    Raises:
        ValueError: If nothing but the special tokens would fit.
    """
    lengths = np.array([[len(ids) for ids in part] for part in segments], int)
    special = len(segments) + 1
    if sequence_length is not None:
        if sequence_length <= special:
            raise ValueError(
                "`sequence_length` must leave room for text beside the "
                f"special tokens. Received: {sequence_length}, special "
                f"tokens {special}."
            )
        lengths = cut_longest_first(lengths, sequence_length - special)
    num_rows = lengths.shape[1]
    totals = lengths.sum(axis=0) + special
    width = sequence_length or int(totals.max(initial=0))
    shape = (num_rows, width)

    token_ids = np.full(shape, tokenizer.pad_id, "int32")
    segment_ids = np.zeros(shape, "int32")
    token_ids[:, :1] = tokenizer.cls_id
    spans = np.zeros((*shape, 2), "int32") if offsets is not None else None
    column = np.arange(width)
    begin = np.ones(num_rows, int)
    for number, kept in enumerate(lengths):
        end = (begin + kept)[:, None]
        inside = (column >= begin[:, None]) & (column < end)
        token_ids[inside] = _joined(segments[number], kept)
        token_ids[column == end] = tokenizer.sep_id
        segment_ids[(column >= begin[:, None]) & (column <= end)] = number
        if spans is not None:
            flat = _joined(
                [sum(map(tuple, row), ()) for row in offsets[number]],
                2 * kept,
            )
            spans[inside] = flat.reshape(-1, 2)
        begin = begin + kept + 1
    batch = {
        "token_ids": token_ids,
        "segment_ids": segment_ids,
        "padding_mask": (column < totals[:, None]).astype("int32"),
    }
    return batch if spans is None else {**batch, "offsets": spans}


def lay_out_slices(segments, tokenizer, width):
    """`[CLS] first [SEP]`, or with `second [SEP]`, from ids in one array.

    Args:
        segments: One or two of (ids, starts, lengths): the ids of many
            texts, and where in them the text of each row begins and how long
            it is, integers `(B,)`.
        tokenizer: Has `pad_id`, `cls_id` and `sep_id`.
        width: Length T to pad to; every row must fit.

    Returns:
        int32 arrays `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`.
    """
    num_rows = len(segments[0][1])
    column = np.arange(width)
    token_ids = np.full((num_rows, width), tokenizer.pad_id, "int32")
    segment_ids = np.zeros_like(token_ids)
    token_ids[:, 0] = tokenizer.cls_id
    begin = np.ones((num_rows, 1), int)
    for number, (ids, starts, lengths) in enumerate(segments):
        end = begin + lengths[:, None]
        inside = (column >= begin) & (column < end)
        source = starts[:, None] + column - begin
        token_ids[inside] = ids[source[inside]]
        token_ids[column == end] = tokenizer.sep_id
        segment_ids[(column >= begin) & (column <= end)] = number
        begin = end + 1
    return {
        "token_ids": token_ids,
        "segment_ids": segment_ids,
        "padding_mask": (column < begin).astype("int32"),
    }


def cut_longest_first(lengths: np.ndarray, room: int) -> np.ndarray:
    """How much of each segment stays so that a row has room.

    The longer one loses first, then both in turn, the second on a tie.

    Args:
        lengths: Integers `(1, B)` or `(2, B)`.
        room: Tokens that fit.

    Returns:
        Integers of the same shape.
    """
    if len(lengths) == 1:
        return np.minimum(lengths, room)
    first, second = lengths
    excess = np.maximum(first + second - room, 0)
    from_first = np.minimum(excess, np.maximum(first - second, 0))
    from_second = np.minimum(excess, np.maximum(second - first, 0))
    rest = excess - from_first - from_second
    return np.stack(
        [
            first - from_first - rest // 2,
            second - from_second - (rest + 1) // 2,
        ]
    )


def _joined(rows, lengths):
    """The first elements of each row, one row after another."""
    kept = (
        row if len(row) == length else row[:length]
        for row, length in zip(rows, lengths.tolist(), strict=True)
    )
    return np.fromiter(
        itertools.chain.from_iterable(kept), "int32", int(lengths.sum())
    )
