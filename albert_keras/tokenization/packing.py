"""Packs segments into a batch: special tokens, truncation and padding."""

import itertools

import numpy as np


def pack_segments(segments, tokenizer, sequence_length=None, offsets=None):
    """Packs `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`.

    Args:
        segments: One or two segments: for each, a list of the rows' ids.
        tokenizer: Has `pad_id`, `cls_id` and `sep_id`.
        sequence_length: Length T to truncate and pad to; None uses the
            longest row.
        offsets: Like `segments`, with (start, end) for each id; or None.

    Returns:
        int32 arrays `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`;
        with `offsets` also `offsets` `(B, T, 2)`.

    Raises:
        ValueError: If `sequence_length` only fits the special tokens.
    """
    lengths = np.array([[len(ids) for ids in part] for part in segments], int)
    num_special = len(segments) + 1
    if sequence_length is not None:
        if sequence_length <= num_special:
            raise ValueError(
                "`sequence_length` must leave room for text in addition to "
                f"the special tokens. Received: {sequence_length}, with "
                f"{num_special} special tokens."
            )
        room = sequence_length - num_special
        lengths = truncate_longest_first(lengths, room)
    num_rows = lengths.shape[1]
    totals = lengths.sum(axis=0) + num_special
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
        token_ids[inside] = _concatenate(segments[number], kept)
        token_ids[column == end] = tokenizer.sep_id
        segment_ids[(column >= begin[:, None]) & (column <= end)] = number
        if spans is not None:
            flat = _concatenate(
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


def pack_slices(segments, tokenizer, width):
    """`pack_segments` for segments that are slices of flat id arrays.

    Args:
        segments: One or two of (ids, starts, lengths): the concatenated ids
            of many texts, and start and length of each row's slice, integers
            `(B,)`.
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


def truncate_longest_first(lengths: np.ndarray, room: int) -> np.ndarray:
    """Truncated lengths of each row's segments, to fit `room` tokens.

    Tokens are removed one by one from the longer segment, from the second on
    a tie; computed in closed form.

    Args:
        lengths: Integers `(1, B)` or `(2, B)`.
        room: Number of tokens that fit.

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


def _concatenate(rows, lengths):
    """The first `lengths[i]` elements of each row, concatenated."""
    kept = (
        row if len(row) == length else row[:length]
        for row, length in zip(rows, lengths.tolist(), strict=True)
    )
    return np.fromiter(
        itertools.chain.from_iterable(kept), "int32", int(lengths.sum())
    )
