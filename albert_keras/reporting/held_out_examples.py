"""Held-out examples of a corpus with a model's predictions."""

import dataclasses

import numpy as np
from keras import ops

from albert_keras.data.pretraining.google_records import unmasked
from albert_keras.decoding.mask_filling import Fill
from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL


@dataclasses.dataclass(frozen=True)
class Piece:
    """A token of an example.

    Attributes:
        text: The original token, with a space where a word begins.
        is_special: Whether it is [CLS] or [SEP].
        fills: The model's predictions, the most likely first; empty if the
            token was not masked.
    """

    text: str
    is_special: bool = False
    fills: tuple[Fill, ...] = ()

    @property
    def is_right(self):
        """Whether the most likely token is the original one."""
        return bool(self.fills) and self.fills[0].piece == self.text


@dataclasses.dataclass(frozen=True)
class HeldOutExample:
    """Two segments with the model's predictions.

    Attributes:
        pieces: The tokens, as `Piece`s.
        is_swapped: Whether the segments are swapped.
        swapped_probability: The model's probability that they are.
    """

    pieces: tuple[Piece, ...]
    is_swapped: bool
    swapped_probability: float

    @property
    def order_is_right(self):
        return self.is_swapped == (self.swapped_probability > 0.5)


def fill_held_out(model, dataset, count, top=3):
    """Predicts the masked tokens of a dataset's first examples.

    Args:
        model: An `AlbertForPretraining`.
        dataset: A `PretrainingDataset` of the validation split.
        count: Number of examples; all if the dataset has fewer.
        top: Number of `Fill`s per masked token.

    Returns:
        A list of `HeldOutExample`s, the same examples every time.
    """
    count = min(count, len(dataset.sequences))
    inputs, labels, weights = dataset.rows(np.arange(count))
    outputs = model(inputs)
    mlm, sop = (
        ops.convert_to_numpy(ops.softmax(ops.cast(outputs[name], "float32")))
        for name in ("mlm_logits", "sop_logits")
    )  # (B, P, V), (B, 2)
    original = unmasked(inputs, labels, weights)
    make_piece = _PieceMaker(dataset.store.tokenizer, top)
    examples = []
    for row in range(count):
        predicted = {
            int(position): mlm[row, slot]
            for slot, position in enumerate(inputs["mask_positions"][row])
            if weights["mlm"][row, slot] > 0
        }
        length = int(inputs["padding_mask"][row].sum())
        examples.append(
            HeldOutExample(
                pieces=tuple(
                    make_piece(token_id, predicted.get(position))
                    for position, token_id in enumerate(original[row, :length])
                ),
                is_swapped=bool(labels["sop"][row]),
                swapped_probability=float(sop[row, 1]),
            )
        )
    return examples


class _PieceMaker:
    """Makes `Piece`s from token ids and predicted probabilities."""

    def __init__(self, tokenizer, top):
        self.tokenizer = tokenizer
        self.top = top
        self.special = {tokenizer.cls_id, tokenizer.sep_id}

    def __call__(self, token_id, probabilities):
        fills: tuple[Fill, ...] = ()
        if probabilities is not None:
            best = np.argsort(-probabilities)[: self.top]
            fills = tuple(
                Fill(self._text(i), float(probabilities[i])) for i in best
            )
        is_special = int(token_id) in self.special
        return Piece(self._text(token_id), is_special, fills)

    def _text(self, token_id):
        piece = self.tokenizer.id_to_piece(int(token_id))
        return piece.replace(SPACE_SYMBOL, " ")
