"""Entities in plain texts, with their character offsets."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.tasks.conll import Conll, ConllSentence
from albert_keras.data.tasks.token_windows import TokenWindows
from albert_keras.decoding.entities import find_entities
from albert_keras.decoding.tag_schemes import find_scheme
from albert_keras.text_tasks.model_facts import ModelFacts
from albert_keras.text_tasks.text_task import RowsOfOutputs
from albert_keras.tokenization.tokenizer import AlbertTokenizer

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


class TaggedEntities(RowsOfOutputs):
    """Finds the entities of texts of any length.

    Args:
        facts: The `ModelFacts`.
        tokenizer: An `AlbertTokenizer`.
        texts: A list of strings.
        **kwargs: Arguments of `encode_texts`.
    """

    def __init__(
        self,
        facts: ModelFacts,
        tokenizer: AlbertTokenizer,
        texts: list[str],
        **kwargs: Any,
    ) -> None:
        self.texts = texts
        self.num_texts = len(texts)
        self.limit = facts.sequence_length
        self._words = [split_words(text) for text in texts]
        sentences = [
            ConllSentence(tuple((text[a:b],) for a, b in spans), row)
            for row, (text, spans) in enumerate(
                zip(texts, self._words, strict=True)
            )
        ]
        self.examples: TokenWindows = TokenWindows(
            Conll(tuple(sentences), path=Path("the texts"), has_tags=False),
            facts.names_of_classes,
            tokenizer,
            facts.sequence_length,
            **kwargs,
        )

    def keep(self, outputs: dict[str, Any]) -> np.ndarray:
        """The likeliest class of each token and its probability `(T, 2)`."""
        logits = np.asarray(outputs["logits"], "float64")
        best = logits.max(axis=-1)
        p = 1 / np.exp(logits - best[..., None]).sum(axis=-1)
        return np.stack([logits.argmax(axis=-1), p], axis=-1)

    def predictions(self) -> list[list[dict[str, Any]]]:
        names = self.examples.tag_names
        scheme = find_scheme(names)
        values = self.examples.values_of_words(self.rows)
        results, begin = [], 0
        for text, spans in zip(self.texts, self._words, strict=True):
            end = begin + len(spans)
            results.append(
                _entities(text, spans, values[begin:end], names, scheme)
            )
            begin = end
        return results


def split_words(text: str) -> list[tuple[int, int]]:
    """Splits plain text into words: (start, end) of each, in characters."""
    return [match.span() for match in _WORDS.finditer(text)]


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
