"""Encodes SQuAD questions, packed with windows of their paragraphs."""

from typing import Any

import numpy as np

from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.data.tasks.examples import Examples
from albert_keras.data.tasks.squad import Squad
from albert_keras.tokenization.packing import pack_slices
from albert_keras.tokenization.text_list import text_list
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class SquadWindows(Examples):
    """Rows `[CLS] question [SEP] window [SEP]`, as in Google's release.

    A paragraph that does not fit into a row is split into overlapping windows
    (a "sliding window"): each begins `doc_stride` tokens after the one
    before, and the last reaches the end. Answers are located by the character
    offsets of the tokens, never by searching for their text.

    Args:
        squad: A `Squad`.
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Maximum length T of a row.
        doc_stride: Number of tokens from one window's start to the next's.
        max_query_length: Maximum number of tokens of a question.
        training: Whether to add labels, from each question's first answer,
            and to leave out questions whose answer cannot be located.
        **kwargs: `source`, `workers` and `progress` of `encode_texts`.

    A batch is `(inputs, labels)`, int32 arrays: `token_ids`, `segment_ids`,
    `padding_mask`, `answer_mask` `(B, T)` (1 at [CLS] and in the window), and
    `start`, `end`, `answerable` `(B,)`. A window that does not contain the
    whole answer has `start = end = 0`, in version 1.1 as well.

    Attributes:
        squad: The argument.
        spans: int64 `(Q, 2)`, first and last token of each question's first
            answer, counted in its paragraph; -1 if there is none.
        unaligned: Ids of the questions whose answer is not at its stated
            position, or has no tokens.
        cut_questions: Ids of the questions longer than `max_query_length`.
        question, start, length: For each window, the index of its question,
            its first token in the paragraph, and its number of tokens.

    Raises:
        ValueError: If `sequence_length` has no room for the paragraph,
            `doc_stride` is not positive, or paragraphs or questions are no
            strings.
    """

    def __init__(
        self,
        squad: Squad,
        tokenizer: AlbertTokenizer,
        sequence_length: int = 384,
        doc_stride: int = 128,
        max_query_length: int = 64,
        training: bool = False,
        **kwargs: Any,
    ) -> None:
        if max_query_length < 1 or sequence_length < max_query_length + 4:
            raise ValueError(
                "`sequence_length` must leave room for the text next to "
                "`max_query_length` tokens of a question and three special "
                f"tokens. Received: sequence_length={sequence_length}, "
                f"max_query_length={max_query_length}."
            )
        if doc_stride < 1:
            raise ValueError(
                f"`doc_stride` must be at least 1. Received: {doc_stride}."
            )
        self.squad = squad
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        self.max_query_length = max_query_length
        self.training = training
        self._paragraph = np.array([q.paragraph for q in squad.questions])
        paragraphs = text_list(squad.paragraphs, "paragraphs")
        questions = text_list([q.text for q in squad.questions], "questions")
        self.paragraphs = encode_texts(
            tokenizer, paragraphs, offsets=True, **kwargs
        )
        self.questions = encode_texts(tokenizer, questions, **kwargs)
        self._question_length = np.minimum(
            self.questions.lengths, max_query_length
        )
        self.cut_questions = self._ids_where(
            self.questions.lengths > max_query_length
        )
        self.spans, unaligned = self._find_answers()
        self.unaligned = self._ids_where(unaligned)
        self._cut_into_windows(
            ~unaligned if training else np.ones_like(unaligned),
            sequence_length - 3 - self._question_length,
            doc_stride,
        )

    @property
    def context_begin(self):
        """Column of each window's first token in its row."""
        return self._question_length[self.question] + 2

    def text_of(self, window: int, first: int, last: int) -> str:
        """The original text of a span of tokens.

        Args:
            window: Index of a window.
            first, last: First and last token, counted in the paragraph.

        Returns:
            The span's text in the paragraph, not normalized.
        """
        start, end = self.characters_of(window, first, last)
        paragraph = self._paragraph[self.question[window]]
        return self.squad.paragraphs[paragraph][start:end]

    def characters_of(
        self, window: int, first: int, last: int
    ) -> tuple[int, int]:
        """The range of characters of a span; arguments as for `text_of`."""
        paragraph = self._paragraph[self.question[window]]
        offsets = self.paragraphs.offsets_of(paragraph)
        return int(offsets[first, 0]), int(offsets[last, 1])

    def batch(self, indices: np.ndarray, width: int) -> tuple:
        question = self.question[indices]
        question_length = self._question_length[question]
        paragraph = self._paragraph[question]
        length = self.length[indices]
        inputs = pack_slices(
            [
                (
                    self.questions.ids,
                    self.questions.bounds[question],
                    question_length,
                ),
                (
                    self.paragraphs.ids,
                    self.paragraphs.bounds[paragraph] + self.start[indices],
                    length,
                ),
            ],
            self.tokenizer,
            width,
        )
        column = np.arange(width)
        begin = self.context_begin[indices, None]
        in_window = (column >= begin) & (column < begin + length[:, None])
        inputs["answer_mask"] = (in_window | (column == 0)).astype("int32")
        return inputs, self._labels(indices) if self.training else None

    def _labels(self, indices):
        first, last = self.spans[self.question[indices]].T
        start = self.start[indices]
        inside = (first >= start) & (last < start + self.length[indices])
        shift = self.context_begin[indices] - start
        return {
            "start": np.where(inside, first + shift, 0).astype("int32"),
            "end": np.where(inside, last + shift, 0).astype("int32"),
            "answerable": inside.astype("int32"),
        }

    # === Construction ===

    def _find_answers(self):
        """`spans`, and booleans `(Q,)`: the answer cannot be located."""
        spans = np.full((len(self.squad.questions), 2), -1, "int64")
        unaligned = np.zeros(len(spans), bool)
        for index, question in enumerate(self.squad.questions):
            if not question.answers:
                continue
            answer = question.answers[0]
            end = answer.start + len(answer.text)
            paragraph = self.squad.paragraphs[question.paragraph]
            offsets = self.paragraphs.offsets_of(question.paragraph)
            # The first token that ends after the answer's start, and the last
            # that starts before its end.
            first = np.searchsorted(offsets[:, 1], answer.start, "right")
            last = np.searchsorted(offsets[:, 0], end, "left") - 1
            is_there = paragraph[max(answer.start, 0) : end] == answer.text
            if is_there and first <= last:
                spans[index] = first, last
            else:
                unaligned[index] = True
        return spans, unaligned

    def _cut_into_windows(self, is_used, room, doc_stride):
        """Sets the windows of the used questions; `room` `(Q,)` is theirs."""
        questions = np.flatnonzero(is_used)
        num_tokens = self.paragraphs.lengths[self._paragraph[questions]]
        room = room[questions]
        step = np.minimum(room, doc_stride)
        counts = 1 + -(-np.maximum(num_tokens - room, 0) // step)
        self.question = np.repeat(questions, counts)
        # 0, 1, 2, ... for the windows of each question
        first = np.repeat(np.cumsum(counts) - counts, counts)
        number = np.arange(len(self.question)) - first
        self.start = number * np.repeat(step, counts)
        self.length = np.minimum(
            np.repeat(room, counts), np.repeat(num_tokens, counts) - self.start
        )
        self.lengths = self.length + self._question_length[self.question] + 3

    def _ids_where(self, condition):
        return [self.squad.questions[i].id for i in np.flatnonzero(condition)]
