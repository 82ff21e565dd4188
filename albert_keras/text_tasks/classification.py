"""Classes of texts by name, with their probabilities."""

from typing import Any

import numpy as np

from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.problems import decode_logits
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.text_task import RowsOfOutputs
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class Classification(RowsOfOutputs):
    """Classifies texts, or pairs of texts.

    Args:
        facts: The `ModelFacts`.
        tokenizer: An `AlbertTokenizer`.
        columns: `(texts,)` or `(texts, pairs)`.
        **kwargs: Arguments of `encode_texts`.
    """

    def __init__(
        self,
        facts: ModelFacts,
        tokenizer: AlbertTokenizer,
        columns: tuple[list[str], ...],
        **kwargs: Any,
    ) -> None:
        self.facts = facts
        self.limit = facts.sequence_length
        examples = LabelledTexts(columns, None, tokenizer, self.limit, **kwargs)
        self.examples, self.cut = examples, examples.cut
        self.num_texts = len(examples)

    def predictions(self) -> list[dict[str, Any]]:
        return decode_classes(self.facts, np.stack(self.rows))  # (N, C)


def decode_classes(
    facts: ModelFacts, logits: np.ndarray
) -> list[dict[str, Any]]:
    """Decodes logits `(N, C)` into a dictionary for each row."""
    predicted, probabilities = decode_logits(
        logits, facts.problem_or_default, facts.thresholds
    )
    if probabilities is None:
        return [{"value": value} for value in predicted.tolist()]
    names = facts.names_of_classes
    return [
        {
            **_labels(names, prediction, row),
            "probabilities": dict(zip(names, row, strict=True)),
        }
        for prediction, row in zip(
            predicted.tolist(), probabilities.tolist(), strict=True
        )
    ]


def _labels(names, prediction, row):
    """`label` and `probability` of a row: of one class, or lists of several."""
    if isinstance(prediction, int):
        return {"label": names[prediction], "probability": row[prediction]}
    found = [number for number, is_label in enumerate(prediction) if is_label]
    return {
        "label": [names[number] for number in found],
        "probability": [row[number] for number in found],
    }
