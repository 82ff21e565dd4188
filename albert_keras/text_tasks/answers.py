"""Answers to questions about texts, as spans of the texts."""

import math
from typing import Any

import numpy as np

from albert_keras.data.tasks.squad import Question, Squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.decoding.span_decoding import SpanDecoder, probabilities
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.text_task import TextTask
from albert_keras.tokenization.tokenizer import AlbertTokenizer

# Google's settings for SQuAD, less for rows shorter than theirs of 384.
_MAX_QUERY_LENGTH, _DOC_STRIDE = 64, 128


class Answers(TextTask):
    """Answers questions about texts of any length.

    Args:
        facts: The `ModelFacts`.
        tokenizer: An `AlbertTokenizer`.
        questions, contexts: Lists of strings of equal length.
        threshold: Log-odds above which a question has no answer.
        max_answer_length: Maximum number of tokens in an answer.
        **kwargs: Arguments of `encode_texts`.
    """

    def __init__(
        self,
        facts: ModelFacts,
        tokenizer: AlbertTokenizer,
        questions: list[str],
        contexts: list[str],
        threshold: float = 0.0,
        max_answer_length: int = 30,
        **kwargs: Any,
    ) -> None:
        self.facts = facts
        self.threshold = threshold
        self.num_texts = len(questions)
        names = ("start_logits", "end_logits")
        head = ("answerable_logits",) if facts.answerability_head else ()
        self.outputs = (*names, *head)  # type: ignore[misc]
        length = facts.sequence_length
        windows = SquadWindows(
            _squad(questions, contexts, facts.no_answer),
            tokenizer,
            length,
            doc_stride=max(1, min(_DOC_STRIDE, length // 3)),
            max_query_length=max(1, min(_MAX_QUERY_LENGTH, length // 4)),
            **kwargs,
        )
        self.examples = windows
        self.cut = [int(key) for key in windows.cut_questions]
        self.limit = windows.max_query_length
        self._decoder = SpanDecoder(
            windows, max_answer_length=max_answer_length
        )

    def add(self, indices: np.ndarray, outputs: dict[str, Any]) -> None:
        self._decoder.add(indices, {k: outputs[k] for k in self.outputs})

    def predictions(self) -> list[dict[str, Any]]:
        return [
            self._best(candidates, null, odds)
            for _, candidates, null, odds in self._decoder.ranked()
        ]

    def _best(self, candidates, null, odds):
        """The answer as a dictionary; empty if there is none."""
        nothing = {"answer": "", "start": 0, "end": 0, "score": 0.0}
        no_answer = self.facts.no_answer
        has_head = self.facts.answerability_head
        if not no_answer:
            share, unanswered = probabilities(candidates or [null]), 0.0
        elif has_head:
            share = probabilities(candidates or [null])
            unanswered = 1 / (1 + math.exp(min(-odds, 700)))
        else:
            unanswered, *share = probabilities([null, *candidates])
        if no_answer and (odds > self.threshold or not candidates):
            return {**nothing, "score": float(unanswered)}
        if not candidates:
            return nothing
        if has_head:
            share = share * (1 - unanswered)
        best = candidates[0]
        return {
            "answer": best.text,
            "start": best.start,
            "end": best.end,
            "score": float(share[0]),
        }


def _squad(questions, contexts, no_answer):
    """Questions and texts, each different text once, as a `Squad`."""
    numbers = {text: i for i, text in enumerate(dict.fromkeys(contexts))}
    return Squad(
        paragraphs=tuple(numbers),
        questions=tuple(
            Question(id=str(row), text=text, paragraph=numbers[context])
            for row, (text, context) in enumerate(
                zip(questions, contexts, strict=True)
            )
        ),
        version="2.0" if no_answer else "1.1",
        has_answers=False,
    )
