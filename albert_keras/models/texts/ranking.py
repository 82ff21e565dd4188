"""Ranks the choices of questions."""

import numpy as np

from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.data.tasks.race_choices import choice_text
from albert_keras.models.texts.predicting import (
    encode,
    predicted_rows,
    warn_of_cut,
)
from albert_keras.models.texts.preprocessor import preprocessor_of, tokenizer_of
from albert_keras.problems import softmax
from albert_keras.tokenization.text_list import filled_text_list


class _Choices(LabelledTexts):
    """Rows of a question and one choice, as the only one of its question."""

    def batch(self, indices, width):
        inputs, labels = super().batch(indices, width)
        return {name: x[:, None] for name, x in inputs.items()}, labels


def rank(model, question, choices, context, batch_size):
    """Implements `AlbertForMultipleChoice.rank`."""
    tokenizer = tokenizer_of(model)
    if isinstance(question, str):
        contexts = None if context is None else [context]
        return rank(model, [question], [choices], contexts, batch_size)[0]
    questions = filled_text_list(question, "question")
    if not questions:
        return []
    choices = _choices(choices, len(questions))
    counts = [len(row) for row in choices]
    flat = [choice for row in choices for choice in row]
    firsts = _repeated(questions, counts)
    seconds = flat
    if context is not None:
        contexts = filled_text_list(context, "context")
        _check_same(len(questions), len(contexts), "context")
        seconds = list(map(choice_text, firsts, flat))
        firsts = _repeated(contexts, counts)
    length = model.preprocessor.sequence_length
    examples = encode(_Choices, (firsts, seconds), None, tokenizer, length)
    warn_of_cut(examples.cut, len(examples), length)
    scores = np.concatenate(predicted_rows(model, examples, batch_size))
    bounds = np.cumsum(counts)[:-1]
    return [
        _ranked(row, scores_of_row)
        for row, scores_of_row in zip(
            choices, np.split(scores, bounds), strict=True
        )
    ]


def choice_columns(x):
    """Reads `(questions, choices)`, or returns None for anything else."""
    if not (isinstance(x, tuple) and len(x) == 2):
        return None
    if not all(isinstance(part, list | tuple | np.ndarray) for part in x):
        return None
    if not len(x[0]) or not isinstance(x[0][0], str):
        return None
    questions = filled_text_list(x[0], "questions")
    choices = _choices(x[1], len(questions))
    counts = sorted({len(row) for row in choices})
    if len(counts) > 1:
        raise ValueError(
            "All questions of a batch must have the same number of choices. "
            f"Received: {counts}. Call `rank`, or pass them separately."
        )
    return questions, choices


def choice_inputs(model, columns):
    """The inputs `(B, C, T)` of a model for `choice_columns`."""
    questions, choices = columns
    counts = [len(row) for row in choices]
    pairs = (
        _repeated(questions, counts),
        [choice for row in choices for choice in row],
    )
    return {
        name: np.reshape(array, (len(questions), counts[0], -1))
        for name, array in preprocessor_of(model)(pairs).items()
    }


def _choices(choices, count):
    if isinstance(choices, str):
        filled_text_list(choices, "choices")  # which raises
    _check_same(count, len(choices), "choices")
    rows = [
        filled_text_list(row, f"choices[{number}]")
        for number, row in enumerate(choices)
    ]
    for number, row in enumerate(rows):
        if not row:
            raise ValueError(
                "Each question needs at least one choice. Received: none in "
                f"row {number}, counted from 0."
            )
    return rows


def _check_same(count, received, name):
    if count != received:
        raise ValueError(
            f"`question` and `{name}` must have the same length. Received: "
            f"{count} and {received}. Pass one for each question."
        )


def _repeated(texts, counts):
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
