"""Filling in `[MASK]`ed pieces."""

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.tokenization.tokenizer import AlbertTokenizer

MASK = "[MASK]"


@dataclasses.dataclass(frozen=True)
class Fill:
    """A piece for a mask and its probability."""

    piece: str
    probability: float


def fill_masks(
    model: Any, tokenizer: AlbertTokenizer, text: str, top: int = 5
) -> list[list[Fill]]:
    """The likeliest pieces for each `[MASK]` in a text.

    Args:
        model: An `AlbertForMaskedLM` or `AlbertForPretraining`.
        tokenizer: The `AlbertTokenizer` of its vocabulary.
        text: A string with `[MASK]` once or more.
        top: Pieces for each mask.

    Returns:
        For each mask a list of `Fill`, the likeliest first. The word-start
        marker of a piece is shown as it is.

    Raises:
        ValueError: If there is no mask, or the text is too long.
    """
    token_ids = _encode_with_masks(tokenizer, text)
    positions = np.flatnonzero(token_ids == tokenizer.mask_id)
    if not positions.size:
        raise ValueError(f"The text has no {MASK}. Received: {text!r}.")
    outputs = model(
        {
            "token_ids": token_ids[None],
            "segment_ids": np.zeros_like(token_ids)[None],
            "padding_mask": np.ones_like(token_ids)[None],
            "mask_positions": positions.astype("int32")[None],
        }
    )
    logits = ops.cast(outputs["mlm_logits"][0], "float32")  # (P, V)
    probabilities = ops.convert_to_numpy(ops.softmax(logits))
    return [
        [
            Fill(tokenizer.id_to_piece(i), float(row[i]))
            for i in np.argsort(-row)[:top]
        ]
        for row in probabilities
    ]


def _encode_with_masks(tokenizer, text):
    """Encodes what is between the masks; typed text never is a mask."""
    ids = [tokenizer.cls_id]
    for number, part in enumerate(text.split(MASK)):
        if number:
            ids.append(tokenizer.mask_id)
        encoded = tokenizer.encode([part])[0]
        if number and part and not part[0].isspace():
            encoded = _without_word_start(tokenizer, encoded)
        ids += encoded
    return np.array([*ids, tokenizer.sep_id], "int32")


def _without_word_start(tokenizer, ids):
    """SentencePiece begins each text with a word, a comma does not."""
    if ids and tokenizer.id_to_piece(ids[0]) == SPACE_SYMBOL:
        return ids[1:]
    return ids
