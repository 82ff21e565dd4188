"""Classifies texts: labels by name with their probabilities."""

import numpy as np

from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.models.texts.predicting import (
    encode,
    predicted_rows,
    warn_of_cut,
)
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.problems import decode_logits
from albert_keras.tokenization.text_columns import text_columns


def classify(model, texts, pairs, batch_size):
    """Implements `AlbertForSequenceClassification.classify`."""
    if isinstance(texts, str):
        pairs = None if pairs is None else [pairs]
        return classify(model, [texts], pairs, batch_size)[0]
    tokenizer = tokenizer_of(model)
    columns = text_columns(texts if pairs is None else (texts, pairs))
    if columns is None:
        return _nothing(texts)
    length = model.preprocessor.sequence_length
    examples = encode(LabelledTexts, columns, None, tokenizer, length)
    warn_of_cut(examples.cut, len(examples), length)
    rows = predicted_rows(model, examples, batch_size, in_order=True)
    logits = np.stack(rows)  # (N, C)
    return decode(model, logits)


def decode(model, logits):
    """Decodes logits `(N, C)` into a dictionary for each row."""
    predicted, probabilities = decode_logits(
        logits, model.problem, model.thresholds
    )
    if probabilities is None:
        return [{"value": value} for value in predicted.tolist()]
    names = class_names(model)
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


def class_names(model):
    """The names of a model's classes; their numbers if they have none."""
    return model.class_names or tuple(map(str, range(model.num_classes)))


def _nothing(texts):
    """An empty list for no texts; an error for what is no text."""
    if hasattr(texts, "__len__") and not len(texts):
        return []
    raise ValueError(
        "`texts` must be a string or a list of strings. Received: "
        f"{type(texts).__name__} {texts!r:.60}. For ids, call `predict`."
    )
