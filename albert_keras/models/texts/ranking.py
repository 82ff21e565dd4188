"""Ranks the choices of questions."""

import numpy as np

from albert_keras.models.texts.predicting import predict
from albert_keras.models.texts.preprocessor import preprocessor_of, tokenizer_of
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.ranked_choices import RankedChoices, repeated
from albert_keras.tokenization.text_list import filled_text_list


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
    contexts = None
    if context is not None:
        contexts = filled_text_list(context, "context")
        _check_same(len(questions), len(contexts), "context")
    facts = ModelFacts.of(model)

    def task(**kwargs):
        return RankedChoices(
            facts, tokenizer, questions, choices, contexts, **kwargs
        )

    return predict(model, task, batch_size)


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
        repeated(questions, counts),
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
