"""Requests for a model of any task, made from a list of texts."""

from typing import Any

import numpy as np

from albert_keras.decoding.mask_filling import MASK
from albert_keras.text_tasks.requests import TASKS
from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.tokenization.tokenizer import AlbertTokenizer

_QUESTION_WORDS = 8
_MASK_EVERY = 7  # words


def example_requests(
    model_class: str, columns: tuple[list[str], ...]
) -> list[Any]:
    """Makes requests, to calibrate or to compare a model.

    Args:
        model_class: Name of the model's class.
        columns: `(texts,)` or `(texts, pairs)`. For question answering a pair
            is a question and its context; of a single text the first words
            are the question. Every seventh word of a text is masked. The
            choices of a text are the ones that follow.
    """
    texts = columns[0]
    task = TASKS[model_class]
    if task == "fill-mask":
        return [_masked(text) for text in texts]
    if task == "token-classification":
        return list(texts)
    if task == "multiple-choice":
        following = columns[-1]
        count = len(texts)
        return [
            {
                "question": text,
                "choices": [following[(row + k) % count] for k in (1, 2)],
            }
            for row, text in enumerate(texts)
        ]
    if len(columns) > 1:
        return [list(pair) for pair in zip(*columns, strict=True)]
    if task == "question-answering":
        return [
            [" ".join(text.split()[:_QUESTION_WORDS]), text] for text in texts
        ]
    return list(texts)


def made_up_texts(
    tokenizer: AlbertTokenizer, count: int, seed: int = 0
) -> list[str]:
    """Texts of random pieces of a vocabulary, of 4 to 64 pieces."""
    rng = np.random.default_rng(seed)
    pieces = [
        tokenizer.id_to_piece(i) for i in range(tokenizer.vocabulary_size)
    ]
    words = [p for p in pieces if p.strip(SPACE_SYMBOL).isalpha()]
    return [
        "".join(rng.choice(words or ["a"], rng.integers(4, 65)))
        .replace(SPACE_SYMBOL, " ")
        .strip()
        for _ in range(count)
    ]


def _masked(text):
    words = text.replace(MASK, " ").split()
    middle = min(_MASK_EVERY, len(words)) // 2
    return " ".join(
        MASK if index % _MASK_EVERY == middle else word
        for index, word in enumerate(words)
    )
