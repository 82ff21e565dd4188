"""The tokens behind `[MASK]`: encodes texts with masks, and ranks tokens."""

import dataclasses

import numpy as np

from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.tokenization.tokenizer import AlbertTokenizer

MASK = "[MASK]"


@dataclasses.dataclass(frozen=True)
class Fill:
    """A token for a mask and its probability."""

    piece: str
    probability: float


def encode_with_masks(tokenizer: AlbertTokenizer, text: str) -> np.ndarray:
    """Encodes a text with `[MASK]`s as `[CLS] text [SEP]`, int32 `(T,)`.

    The parts between masks are encoded one by one, since a tokenizer of the
    style "google" does not parse masks.
    """
    ids = [tokenizer.cls_id]
    for index, part in enumerate(text.split(MASK)):
        if index:
            ids.append(tokenizer.mask_id)
        encoded = tokenizer.encode([part])[0]
        if index and part and not part[0].isspace():
            encoded = _without_word_start(tokenizer, encoded)
        ids += encoded
    return np.array([*ids, tokenizer.sep_id], "int32")


def likeliest_fills(
    tokenizer: AlbertTokenizer, probabilities: np.ndarray, top: int
) -> list[Fill]:
    """Returns the tokens of the highest probabilities, the likeliest first.

    Args:
        tokenizer: The tokenizer of the vocabulary.
        probabilities: `(V,)`.
        top: Number of tokens.
    """
    return [
        Fill(tokenizer.id_to_piece(i), float(probabilities[i]))
        for i in np.argsort(-probabilities)[:top]
    ]


def _without_word_start(tokenizer, ids):
    """Drops the word start that SentencePiece puts before any text."""
    if ids and tokenizer.id_to_piece(ids[0]) == SPACE_SYMBOL:
        return ids[1:]
    return ids
