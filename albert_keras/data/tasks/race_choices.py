"""RACE's questions with each of their options, as the model reads them."""

from typing import Any

import numpy as np

from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.example_batches import Examples
from albert_keras.data.tasks.race import LETTERS, Race
from albert_keras.tokenization.packing import pack_slices
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class RaceChoices(Examples):
    """`[CLS] passage [SEP] choice [SEP]` for each option of a question.

    As in Google's release: a choice is the question with the option in place
    of "_", or behind it where there is none; its last pieces are kept, and of
    the passage those in front that have room.

    Args:
        race: A `Race`.
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Length T of the longest rows.
        max_choice_length: Pieces of a choice that are kept.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels)`: int32 `token_ids`, `segment_ids`,
    `padding_mask` `(B, 4, T)`, and the right options `(B,)`; None where they
    are not told.

    Attributes:
        race: As given.
        cut: Indices of the questions of which passage or choice was cut.

    Raises:
        ValueError: If no room is left for the passage.
    """

    def __init__(
        self,
        race: Race,
        tokenizer: AlbertTokenizer,
        sequence_length: int = 512,
        max_choice_length: int = 128,
        **kwargs: Any,
    ) -> None:
        if max_choice_length < 1 or sequence_length < max_choice_length + 4:
            raise ValueError(
                "`sequence_length` must leave room for the passage beside a "
                "choice of `max_choice_length` pieces and three special ones. "
                f"Received: sequence_length={sequence_length}, "
                f"max_choice_length={max_choice_length}."
            )
        self.race = race
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        answers = [question.answer for question in race.questions]
        told = None not in answers
        self.labels = np.array(answers, "int32") if told else None
        self._passage = np.array([q.passage for q in race.questions])
        self._passages = encode_texts(tokenizer, list(race.passages), **kwargs)
        self._choices = encode_texts(
            tokenizer,
            [
                choice_text(question.text, option)
                for question in race.questions
                for option in question.options
            ],
            **kwargs,
        )
        whole = self._choices.lengths.reshape(-1, len(LETTERS))  # (N, 4)
        self._choice_length = np.minimum(whole, max_choice_length)
        ends = self._choices.bounds[1:].reshape(whole.shape)
        self._choice_start = ends - self._choice_length
        passage = self._passages.lengths[self._passage][:, None]
        room = sequence_length - 3 - self._choice_length
        self._passage_length = np.minimum(passage, room)
        cut = (whole > max_choice_length) | (passage > room)
        self.cut = np.flatnonzero(cut.any(axis=1))
        total = self._passage_length + self._choice_length + 3
        self.lengths = total.max(axis=1)

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        num_choices = len(LETTERS)
        starts = self._passages.bounds[self._passage[indices]]
        inputs = pack_slices(
            [
                (
                    self._passages.ids,
                    np.repeat(starts, num_choices),
                    self._passage_length[indices].ravel(),
                ),
                (
                    self._choices.ids,
                    self._choice_start[indices].ravel(),
                    self._choice_length[indices].ravel(),
                ),
            ],
            self.tokenizer,
            width,
        )
        inputs = {
            name: array.reshape(-1, num_choices, width)
            for name, array in inputs.items()
        }
        return inputs, None if self.labels is None else self.labels[indices]


def choice_text(question: str, option: str) -> str:
    """The option in place of "_" in the question, or behind it."""
    if "_" in question:
        return question.replace("_", option)
    return f"{question} {option}"
