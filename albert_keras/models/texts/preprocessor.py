"""The preprocessor of a model, which turns texts into the model's inputs."""

import functools
from typing import Any

from albert_keras.tokenization.packing import pack_segments
from albert_keras.tokenization.same_vocabulary import check_vocabulary_size
from albert_keras.tokenization.text_columns import text_columns
from albert_keras.tokenization.tokenizer import AlbertTokenizer


class AlbertPreprocessor:
    """Turns texts, or pairs of texts, into the inputs of a model.

    Models that are loaded with a vocabulary have one as `model.preprocessor`.

    Args:
        tokenizer: An `AlbertTokenizer`.
        sequence_length: Maximum number T of tokens in a row, special tokens
            included: the longer text of a row is truncated.

    Call arguments:
        x: A list, a NumPy array, a pandas Series or a tensor of strings. For
            pairs a tuple of two of these, a list of `(first, second)`, or an
            array or a table with two columns.

    Returns:
        A dictionary of int32 arrays `(B, T)`, padded to the longest row:
        `token_ids`, `segment_ids` and `padding_mask`.

    Raises:
        ValueError: If `x` holds no texts, a row is None, NaN, blank or no
            string, or `sequence_length` only fits the special tokens.

    Example:

    ```python
    tokenizer = AlbertTokenizer("30k-clean.model")
    model.preprocessor = AlbertPreprocessor(tokenizer, sequence_length=128)
    model.predict(["Hello, world!", "Good morning."])
    ```
    """

    def __init__(
        self, tokenizer: AlbertTokenizer, sequence_length: int = 512
    ) -> None:
        if not isinstance(tokenizer, AlbertTokenizer):
            raise ValueError(
                "`tokenizer` must be an `AlbertTokenizer`. Received: "
                f"{type(tokenizer).__name__}. Create it with "
                "`AlbertTokenizer.from_pretrained`."
            )
        self._make_tokenizer = lambda: tokenizer
        self.sequence_length = sequence_length

    @classmethod
    def from_vocabulary(
        cls, vocabulary: bytes, settings: dict[str, Any], sequence_length: int
    ) -> "AlbertPreprocessor":
        """Creates a preprocessor whose tokenizer is made at its first use.

        Args:
            vocabulary: The bytes of a SentencePiece model.
            settings: Further arguments of `AlbertTokenizer`.
            sequence_length: As for the class.
        """
        preprocessor = cls.__new__(cls)
        preprocessor._make_tokenizer = lambda: AlbertTokenizer(
            vocabulary, **settings
        )
        preprocessor.sequence_length = sequence_length
        return preprocessor

    @functools.cached_property
    def tokenizer(self) -> AlbertTokenizer:
        return self._make_tokenizer()

    def __call__(self, x: Any) -> dict[str, Any]:
        columns = text_columns(x)
        if columns is None:
            raise ValueError(
                "The preprocessor takes strings. Received: "
                f"{type(x).__name__}. Pass a list of strings, or a tuple of "
                "two lists for pairs."
            )
        segments = [self.tokenizer.encode(column) for column in columns]
        longest = max(sum(map(len, row)) for row in zip(*segments, strict=True))
        fits = longest + len(segments) + 1 <= self.sequence_length
        return pack_segments(
            segments, self.tokenizer, None if fits else self.sequence_length
        )


def as_preprocessor(value: Any, model: Any) -> Any:
    """Returns what a user set as the preprocessor of a model.

    Args:
        value: An `AlbertPreprocessor` or another function of the same form,
            such as KerasHub's preprocessors; an `AlbertTokenizer`; or None.
        model: The model.

    Raises:
        ValueError: If it is something else, or the vocabulary has another
            size than the model's token embedding.
    """
    if isinstance(value, AlbertTokenizer):
        value = AlbertPreprocessor(value, model.config.max_sequence_length)
    if isinstance(value, AlbertPreprocessor):
        check_vocabulary_size(value.tokenizer, model)
    elif value is not None and not callable(value):
        raise ValueError(
            "`preprocessor` must be an `AlbertPreprocessor`, an "
            "`AlbertTokenizer` or None. Received: "
            f"{type(value).__name__} {value!r:.60}. For the path of a "
            "directory, pass `AlbertTokenizer.from_pretrained(directory)`."
        )
    return value


def preprocessor_of(model: Any) -> Any:
    """Returns the preprocessor of a model.

    Raises:
        ValueError: If it has none.
    """
    if model.preprocessor is None:
        raise ValueError(
            f"This {type(model).__name__} has no tokenizer and takes ids "
            "only. Received: texts. Set `model.preprocessor = "
            "AlbertTokenizer.from_pretrained(directory)` with the vocabulary "
            "that the model was trained with, or load the model from a "
            "directory that holds it."
        )
    return model.preprocessor


def tokenizer_of(model: Any) -> AlbertTokenizer:
    """Returns the tokenizer of a model's preprocessor.

    Raises:
        ValueError: If the model has no `AlbertPreprocessor`.
    """
    preprocessor = preprocessor_of(model)
    if not isinstance(preprocessor, AlbertPreprocessor):
        raise ValueError(
            "Answers to texts need the tokenizer of an `AlbertPreprocessor`. "
            f"Received: a preprocessor of the class "
            f"{type(preprocessor).__name__}. Set `model.preprocessor` to an "
            "`AlbertTokenizer`, or call `model.predict(texts)`."
        )
    return preprocessor.tokenizer
