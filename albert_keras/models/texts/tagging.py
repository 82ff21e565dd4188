"""Finds entities in plain texts, with their character offsets."""

import re
from pathlib import Path

import numpy as np

from albert_keras.data.tasks.conll import Conll, ConllSentence
from albert_keras.data.tasks.token_windows import TokenWindows
from albert_keras.decoding.entities import find_entities
from albert_keras.decoding.tag_schemes import find_scheme
from albert_keras.models.texts.classifying import class_names
from albert_keras.models.texts.predicting import encode, predicted_rows
from albert_keras.models.texts.preprocessor import tokenizer_of
from albert_keras.tokenization.text_list import filled_text_list

# The words of plain text, as in files of tagged words: punctuation is a word of
# its own unless it is inside an abbreviation, a compound or a number; so are
# English endings such as 's, and the characters of scripts without spaces.
_NO_SPACES = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = rf"[^\W{_NO_SPACES}]+"
_WORDS = re.compile(
    rf"[{_NO_SPACES}]"
    r"|['’](?:s|t|re|ve|ll|d|m)\b"
    r"|(?:[^\W\d_]\.){2,}"  # U.S.
    r"|\d+(?:[.,]\d+)*(?!\w)"  # 1,000.50
    rf"|{_WORD}(?:[-./&]{_WORD})*"
    r"|\S",
    re.IGNORECASE,
)


def tag(model, texts, batch_size):
    """Implements `AlbertForTokenClassification.tag`."""
    if isinstance(texts, str):
        return tag(model, [texts], batch_size)[0]
    tokenizer = tokenizer_of(model)
    texts = filled_text_list(texts)
    if not texts:
        return []
    words = [split_words(text) for text in texts]
    windows = encode(
        TokenWindows,
        Conll(
            tuple(
                ConllSentence(
                    tuple((text[start:end],) for start, end in spans), row
                )
                for row, (text, spans) in enumerate(
                    zip(texts, words, strict=True)
                )
            ),
            path=Path("the texts"),
            has_tags=False,
        ),
        class_names(model),
        tokenizer,
        model.preprocessor.sequence_length,
    )
    rows = predicted_rows(model, windows, batch_size, pick=_best_classes)
    values = windows.values_of_words(rows)
    scheme = find_scheme(windows.tag_names)
    results, begin = [], 0
    for text, spans in zip(texts, words, strict=True):
        end = begin + len(spans)
        results.append(
            _entities(text, spans, values[begin:end], windows.tag_names, scheme)
        )
        begin = end
    return results


def split_words(text):
    """Splits plain text into words: (start, end) of each, in characters."""
    return [match.span() for match in _WORDS.finditer(text)]


def _best_classes(logits):
    """The likeliest class of each token and its probability, `(B, T, 2)`."""
    logits = logits.astype("float64")
    best = logits.max(axis=-1)
    p = 1 / np.exp(logits - best[..., None]).sum(axis=-1)
    return np.stack([logits.argmax(axis=-1), p], axis=-1)


def _entities(text, spans, values, names, scheme):
    tags = [names[int(number)] for number, _ in values]
    return [
        {
            "label": label,
            "text": text[spans[first][0] : spans[last][1]],
            "start": spans[first][0],
            "end": spans[last][1],
            "score": float(values[first : last + 1, 1].mean()),
        }
        for label, first, last in find_entities(tags, scheme)
    ]
