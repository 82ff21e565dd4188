"""Answers questions about texts with a span of the text."""

import math

import numpy as np

from albert_keras.data.tasks.squad import Question, Squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.decoding.span_decoding import SpanDecoder, probabilities
from albert_keras.models.texts.predicting import (
    encode,
    predictions,
    warn_of_cut,
)
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.tokenization.text_list import filled_text_list

# Google's settings for SQuAD, less for rows shorter than theirs of 384.
_MAX_QUERY_LENGTH, _DOC_STRIDE = 64, 128


def answer(
    model, question, context, no_answer, threshold, max_answer_length, size
):
    """Implements `AlbertForQuestionAnswering.answer`."""
    tokenizer = tokenizer_of(model)
    is_one = isinstance(question, str) and isinstance(context, str)
    questions, contexts = _lists(question, context)
    if not questions:
        return []
    if no_answer is None:
        no_answer = has_no_answers(model)
    numbers = {text: i for i, text in enumerate(dict.fromkeys(contexts))}
    squad = Squad(
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
    length = model.preprocessor.sequence_length
    windows = encode(
        SquadWindows,
        squad,
        tokenizer,
        length,
        doc_stride=max(1, min(_DOC_STRIDE, length // 3)),
        max_query_length=max(1, min(_MAX_QUERY_LENGTH, length // 4)),
    )
    cut = [int(key) for key in windows.cut_questions]
    warn_of_cut(cut, len(questions), windows.max_query_length)
    decoder = SpanDecoder(windows, max_answer_length=max_answer_length)
    for indices, outputs in predictions(model, windows, size):
        decoder.add(indices, outputs)
    answers = [
        _best(candidates, null, odds, no_answer, threshold, model)
        for _, candidates, null, odds in decoder.ranked()
    ]
    return answers[0] if is_one else answers


def has_no_answers(model):
    """Whether a model learned that questions may have no answer."""
    return model.answerability_head or model.card.get("task") == "SQuAD 2.0"


def answer_inputs(inputs):
    """Adds the `answer_mask` to rows of questions and texts."""
    segments, padding = inputs["segment_ids"], inputs["padding_mask"]
    column = np.arange(segments.shape[1])
    last = padding.sum(axis=1, keepdims=True) - 1  # [SEP]
    in_text = (segments == 1) & (column < last)
    mask = in_text | (column == 0)
    return {**inputs, "answer_mask": mask.astype("int32")}


def _lists(question, context):
    """Questions and contexts as lists of equal length."""
    if isinstance(question, str):
        count = 1 if isinstance(context, str) else len(context)
        question = [question] * count
    questions = filled_text_list(question, "question")
    if isinstance(context, str):
        context = filled_text_list([context], "context") * len(questions)
    contexts = filled_text_list(context, "context")
    if len(questions) != len(contexts):
        raise ValueError(
            "`question` and `context` must have the same length, or one of "
            f"them be a string. Received: {len(questions)} questions, "
            f"{len(contexts)} contexts."
        )
    return questions, contexts


def _best(candidates, null, odds, no_answer, threshold, model):
    """The answer as a dictionary; empty if there is none."""
    nothing = {"answer": "", "start": 0, "end": 0, "score": 0.0}
    if not no_answer:
        share, unanswered = probabilities(candidates or [null]), 0.0
    elif model.answerability_head:
        share = probabilities(candidates or [null])
        unanswered = 1 / (1 + math.exp(min(-odds, 700)))
    else:
        unanswered, *share = probabilities([null, *candidates])
    if no_answer and (odds > threshold or not candidates):
        return {**nothing, "score": float(unanswered)}
    if not candidates:
        return nothing
    if model.answerability_head:
        share = share * (1 - unanswered)
    best = candidates[0]
    return {
        "answer": best.text,
        "start": best.start,
        "end": best.end,
        "score": float(share[0]),
    }
