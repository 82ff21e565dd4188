"""Encodes RACE's questions, packed with each of their options."""

from typing import Any

import numpy as np

from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.examples import Examples
from albert_keras.data.tasks.race import LETTERS, Race
from albert_keras.tokenization.packing import pack_slices
from albert_keras.tokenization.text_list import text_list
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class RaceChoices(Examples):
    """Rows `[CLS] passage [SEP] choice [SEP]`, one per option of a question.

    As in Google's release, a choice is the question with the option in place
    of "_", or followed by the option if it has no "_". The passage is
    truncated at its end, a choice at its beginning.

    Args:
        race: A `Race`.
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Maximum length T of a row.
        max_choice_length: Maximum number of tokens of a choice.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels)`: int32 `token_ids`, `segment_ids`,
    `padding_mask` `(B, 4, T)`, and the correct options `(B,)`, or None if
    they are unknown.

    Attributes:
        race: The argument.
        cut: Indices of the questions whose passage or choices were truncated.

    Raises:
        ValueError: If `sequence_length` has no room for the passage, or the
            passages or the options of a question are no list of strings.
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
                "`sequence_length` must leave room for the passage next to "
                "`max_choice_length` tokens of a choice and three special "
                f"tokens. Received: sequence_length={sequence_length}, "
                f"max_choice_length={max_choice_length}."
            )
        self.race = race
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        answers = [question.answer for question in race.questions]
        is_labeled = None not in answers
        self.labels = np.array(answers, "int32") if is_labeled else None
        self._passage = np.array([q.passage for q in race.questions])
        passages = text_list(race.passages, "passages")
        self._passages = encode_texts(tokenizer, passages, **kwargs)
        self._choices = encode_texts(
            tokenizer,
            [
                choice_text(question.text, option)
                for question in race.questions
                for option in text_list(question.options, "options")
            ],
            **kwargs,
        )
        choice = self._choices.lengths.reshape(-1, len(LETTERS))  # (N, 4)
        self._choice_length = np.minimum(choice, max_choice_length)
        ends = self._choices.bounds[1:].reshape(choice.shape)
        self._choice_start = ends - self._choice_length
        passage = self._passages.lengths[self._passage][:, None]
        room = sequence_length - 3 - self._choice_length
        self._passage_length = np.minimum(passage, room)
        cut = (choice > max_choice_length) | (passage > room)
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
    """The question with the option in place of "_", or at the end."""
    if "_" in question:
        return question.replace("_", option)
    return f"{question} {option}"
