"""Requests as JSON: what each task takes for a text, read and checked."""

from collections.abc import Callable, Sequence
from typing import Any

from albert_keras.text_tasks.answers import Answers
from albert_keras.text_tasks.classification import Classification
from albert_keras.text_tasks.embeddings import Embeddings
from albert_keras.text_tasks.filled_masks import FilledMasks
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.ranked_choices import RankedChoices
from albert_keras.text_tasks.tagged_entities import TaggedEntities
from albert_keras.text_tasks.text_task import TextTask
from albert_keras.tokenization.text_list import filled_text_list
from albert_keras.tokenization.tokenizer import AlbertTokenizer

# Name of the task of each class of models.
TASKS = {
    "AlbertBackbone": "embeddings",
    "AlbertForMaskedLM": "fill-mask",
    "AlbertForMultipleChoice": "multiple-choice",
    "AlbertForPretraining": "fill-mask",
    "AlbertForQuestionAnswering": "question-answering",
    "AlbertForSequenceClassification": "text-classification",
    "AlbertForTokenClassification": "token-classification",
}
_QUESTION = '{"question": ..., "context": ...}'
_CHOICES = '{"question": ..., "choices": [...]}'


def task_of_requests(
    facts: ModelFacts, tokenizer: AlbertTokenizer, requests: Sequence[Any]
) -> TextTask:
    """Encodes requests of one model.

    Args:
        facts: The `ModelFacts`.
        tokenizer: An `AlbertTokenizer`.
        requests: A list with an item for each prediction: a string; for pairs
            `{"text": ..., "pair": ...}`; for question answering
            `{"question": ..., "context": ...}`; for multiple choice
            `{"question": ..., "choices": [...]}`, with an optional
            `"context"`. Two texts may also be `[first, second]`.

    Raises:
        ValueError: If an item is of another form, or a text is blank; names
            the item.
    """
    if isinstance(requests, str) or not isinstance(requests, Sequence):
        raise ValueError(
            "`texts` must be a list. Received: "
            f"{type(requests).__name__} {requests!r:.60}. Put a single text "
            "into a list."
        )
    if not requests:
        raise ValueError("`texts` must not be empty. Received: [].")
    return _MAKERS[TASKS[facts.model_class]](facts, tokenizer, requests)


def _classify(facts, tokenizer, requests):
    columns = _one_or_two(requests)
    return Classification(facts, tokenizer, columns, workers=1)


def _embed(facts, tokenizer, requests):
    return Embeddings(facts, tokenizer, _one_or_two(requests), workers=1)


def _fill(facts, tokenizer, requests):
    return FilledMasks(facts, tokenizer, filled_text_list(requests))


def _tag(facts, tokenizer, requests):
    texts = filled_text_list(requests)
    return TaggedEntities(facts, tokenizer, texts, workers=1)


def _answer(facts, tokenizer, requests):
    columns = _columns(requests, ("question", "context"), _QUESTION)
    return Answers(facts, tokenizer, *columns, workers=1)


def _rank(facts, tokenizer, requests):
    known = {"question", "choices", "context"}
    for row, item in enumerate(requests):
        fits = isinstance(item, dict) and {"question", "choices"} <= set(item)
        if not fits or set(item) - known:
            raise _other_form(row, item, _CHOICES)
    with_context = {"context" in item for item in requests}
    if len(with_context) > 1:
        raise ValueError(
            "All items of `texts` must have a context, or none. Received: "
            "both. Send them separately."
        )
    questions, *contexts = (
        filled_text_list([item[name] for item in requests], name)
        for name in ("question", *(["context"] if True in with_context else []))
    )
    choices = [
        filled_text_list(item["choices"], f"texts[{row}].choices")
        for row, item in enumerate(requests)
    ]
    for row, item in enumerate(requests):
        if not choices[row]:
            raise _other_form(row, item, _CHOICES)
    return RankedChoices(
        facts, tokenizer, questions, choices, *contexts, workers=1
    )


_MAKERS: dict[str, Callable] = {
    "embeddings": _embed,
    "fill-mask": _fill,
    "multiple-choice": _rank,
    "question-answering": _answer,
    "text-classification": _classify,
    "token-classification": _tag,
}


# === Forms of items ===


def _one_or_two(requests):
    """Single texts as one column, pairs as two."""
    if isinstance(requests[0], str):
        return (filled_text_list(requests),)
    names: tuple[str, ...] = ("text", "pair")
    if isinstance(requests[0], dict) and set(requests[0]) == {"text"}:
        names = names[:1]
    form = 'a string or {"text": ..., "pair": ...}, all alike'
    return _columns(requests, names, form)


def _columns(requests, names, form):
    columns = [[] for _ in names]
    for row, item in enumerate(requests):
        values = item
        if isinstance(item, dict) and set(item) == set(names):
            values = [item[name] for name in names]
        if not isinstance(values, list | tuple) or len(values) != len(names):
            raise _other_form(row, item, form)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return tuple(
        filled_text_list(column, name)
        for column, name in zip(columns, names, strict=True)
    )


def _other_form(row, item, form):
    return ValueError(
        f"Each item of `texts` must be {form}. Received: {item!r:.60} as item "
        f"{row}, counted from 0."
    )
