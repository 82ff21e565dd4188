"""Predicts the tokens behind `[MASK]` in a text."""

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.tokenization.tokenizer import AlbertTokenizer

MASK = "[MASK]"


@dataclasses.dataclass(frozen=True)
class Fill:
    """A token for a mask and its probability."""

    piece: str
    probability: float


def fill_masks(
    model: Any, tokenizer: AlbertTokenizer, text: str, top: int = 5
) -> list[list[Fill]]:
    """Predicts the most likely tokens for each `[MASK]` in a text.

    Args:
        model: An `AlbertForMaskedLM` or `AlbertForPretraining`.
        tokenizer: The `AlbertTokenizer` of its vocabulary.
        text: A string with at least one `[MASK]`.
        top: Number of tokens per mask.

    Returns:
        For each mask a list of `Fill`s, the most likely first. A token keeps
        its word-start marker.

    Raises:
        ValueError: If there is no mask, or the text is too long or no string.
    """
    if not isinstance(text, str):
        raise ValueError(
            "`text` must be one string. Received: "
            f"{type(text).__name__} {text!r:.60}. Call the function once for "
            "each text."
        )
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
    """Encodes the parts between masks: the tokenizer does not parse masks."""
    ids = [tokenizer.cls_id]
    for index, part in enumerate(text.split(MASK)):
        if index:
            ids.append(tokenizer.mask_id)
        encoded = tokenizer.encode([part])[0]
        if index and part and not part[0].isspace():
            encoded = _without_word_start(tokenizer, encoded)
        ids += encoded
    return np.array([*ids, tokenizer.sep_id], "int32")


def _without_word_start(tokenizer, ids):
    """Drops the word start that SentencePiece puts before any text."""
    if ids and tokenizer.id_to_piece(ids[0]) == SPACE_SYMBOL:
        return ids[1:]
    return ids
