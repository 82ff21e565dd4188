"""The choices of questions, ranked."""

from typing import Any

import numpy as np

from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.data.tasks.race_choices import choice_text
from albert_keras.problems import softmax
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.text_task import RowsOfOutputs
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class RankedChoices(RowsOfOutputs):
    """Ranks the choices of questions.

    Args:
        facts: The `ModelFacts`.
        tokenizer: An `AlbertTokenizer`.
        questions: A list of strings.
        choices: A list of strings for each question.
        contexts: The text that each question is about; None if there is none.
        **kwargs: Arguments of `encode_texts`.
    """

    def __init__(
        self,
        facts: ModelFacts,
        tokenizer: AlbertTokenizer,
        questions: list[str],
        choices: list[list[str]],
        contexts: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.choices = choices
        self.num_texts = len(questions)
        self.limit = facts.sequence_length
        counts = [len(row) for row in choices]
        seconds = [choice for row in choices for choice in row]
        firsts = repeated(questions, counts)
        if contexts is not None:
            seconds = list(map(choice_text, firsts, seconds))
            firsts = repeated(contexts, counts)
        examples = _Choices(
            (firsts, seconds), None, tokenizer, self.limit, **kwargs
        )
        self.examples, self.cut = examples, examples.cut

    def predictions(self) -> list[list[dict[str, Any]]]:
        bounds = np.cumsum([len(row) for row in self.choices])[:-1]
        return [
            _ranked(row, scores)
            for row, scores in zip(
                self.choices,
                np.split(np.concatenate(self.rows), bounds),
                strict=True,
            )
        ]


class _Choices(LabelledTexts):
    """Rows of a question and one choice, as the only one of its question."""

    def batch(self, indices, width):
        inputs, labels = super().batch(indices, width)
        return {name: x[:, None] for name, x in inputs.items()}, labels


def repeated(texts: list[str], counts: list[int]) -> list[str]:
    """Each text as many times as its count says."""
    return [
        text
        for text, count in zip(texts, counts, strict=True)
        for _ in range(count)
    ]


def _ranked(choices, scores):
    scores = scores.ravel()
    probabilities = softmax(scores)
    return [
        {
            "choice": choices[index],
            "index": index,
            "probability": float(probabilities[index]),
        }
        for index in np.argsort(-scores, kind="stable").tolist()
    ]
