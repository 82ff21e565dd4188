"""Held-out examples of a corpus as a model fills them in."""

import dataclasses

import numpy as np
from keras import ops

from albert_keras.data.pretraining.google_records import unmasked
from albert_keras.evaluation.fill_mask import Fill
from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of an example.

    Attributes:
        text: As it was in the text, with a space where a word begins.
        is_special: Whether it is [CLS] or [SEP].
        fills: What the model takes it for, the likeliest first; empty where
            it was not asked.
    """

    text: str
    is_special: bool = False
    fills: tuple[Fill, ...] = ()

    @property
    def is_right(self):
        """Whether the likeliest piece is the one of the text."""
        return bool(self.fills) and self.fills[0].piece == self.text


@dataclasses.dataclass(frozen=True)
class HeldOutExample:
    """Two segments, and what the model says of them.

    Attributes:
        pieces: Its `Piece`s.
        is_swapped: Whether the segments are swapped.
        swapped_probability: What the model gives that.
    """

    pieces: tuple[Piece, ...]
    is_swapped: bool
    swapped_probability: float

    @property
    def order_is_right(self):
        return self.is_swapped == (self.swapped_probability > 0.5)


def fill_held_out(model, dataset, count, top=3):
    """The first examples of a dataset, filled in.

    Args:
        model: An `AlbertForPretraining`.
        dataset: A `PretrainingDataset`, of the validation split.
        count: Examples, fewer where it has fewer.
        top: `Fill`s for each piece that was masked.

    Returns:
        A list of `HeldOutExample`, the same examples each time.
    """
    count = min(count, len(dataset.sequences))
    inputs, labels, weights = dataset.rows(np.arange(count))
    outputs = model(inputs)
    mlm, sop = (
        ops.convert_to_numpy(ops.softmax(ops.cast(outputs[name], "float32")))
        for name in ("mlm_logits", "sop_logits")
    )  # (B, P, V), (B, 2)
    original = unmasked(inputs, labels, weights)
    shown = _Shown(dataset.store.tokenizer, top)
    examples = []
    for row in range(count):
        asked = {
            int(place): mlm[row, slot]
            for slot, place in enumerate(inputs["mask_positions"][row])
            if weights["mlm"][row, slot] > 0
        }
        length = int(inputs["padding_mask"][row].sum())
        examples.append(
            HeldOutExample(
                pieces=tuple(
                    shown.piece(token_id, asked.get(place))
                    for place, token_id in enumerate(original[row, :length])
                ),
                is_swapped=bool(labels["sop"][row]),
                swapped_probability=float(sop[row, 1]),
            )
        )
    return examples


class _Shown:
    """Ids as `Piece`s."""

    def __init__(self, tokenizer, top):
        self.tokenizer = tokenizer
        self.top = top
        self.special = {tokenizer.cls_id, tokenizer.sep_id}

    def piece(self, token_id, probabilities):
        fills: tuple[Fill, ...] = ()
        if probabilities is not None:
            likeliest = np.argsort(-probabilities)[: self.top]
            fills = tuple(
                Fill(self.text(i), float(probabilities[i])) for i in likeliest
            )
        return Piece(self.text(token_id), int(token_id) in self.special, fills)

    def text(self, token_id):
        piece = self.tokenizer.id_to_piece(int(token_id))
        return piece.replace(SPACE_SYMBOL, " ")
