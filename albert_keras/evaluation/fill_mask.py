"""Predicts the tokens behind `[MASK]` in a text."""

from typing import Any

import numpy as np
from keras import ops

from albert_keras.decoding.mask_filling import (
    MASK,
    Fill,
    encode_with_masks,
    likeliest_fills,
)
from albert_keras.tokenization.tokenizer import AlbertTokenizer


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
    token_ids = encode_with_masks(tokenizer, text)
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
    return [likeliest_fills(tokenizer, row, top) for row in probabilities]
