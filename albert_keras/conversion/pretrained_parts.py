"""The content of a pretrained directory, independent of its format."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.config import AlbertConfig
from albert_keras.files.strict_json import parse_json
from albert_keras.files.text_files import read_text
from albert_keras.problems import check_problem

MODEL_CLASSES = {
    frozenset(): "AlbertBackbone",
    frozenset({"mlm_head"}): "AlbertForMaskedLM",
    frozenset({"mlm_head", "sop_head"}): "AlbertForPretraining",
    frozenset({"span_head"}): "AlbertForQuestionAnswering",
    frozenset({"span_head", "answerability_head"}): (
        "AlbertForQuestionAnswering"
    ),
    frozenset({"classifier"}): "AlbertForSequenceClassification",
}
# Names of our fields in Google's configuration, which Hugging Face adopted,
# and the defaults of both systems' classes: those of xxlarge.
TF1_FIELDS = {
    "vocabulary_size": ("vocab_size", 30000),
    "embedding_dim": ("embedding_size", 128),
    "hidden_dim": ("hidden_size", 4096),
    "num_layers": ("num_hidden_layers", 12),
    "num_groups": ("num_hidden_groups", 1),
    "num_heads": ("num_attention_heads", 64),
    "intermediate_dim": ("intermediate_size", 16384),
    "num_inner_repetitions": ("inner_group_num", 1),
    "hidden_dropout": ("hidden_dropout_prob", 0),
    "attention_dropout": ("attention_probs_dropout_prob", 0),
    "max_sequence_length": ("max_position_embeddings", 512),
    "num_segments": ("type_vocab_size", 2),
    "initializer_range": ("initializer_range", 0.02),
}


@dataclasses.dataclass
class PretrainedParts:
    """A pretrained model as plain values, which every format reads and writes.

    Attributes:
        model_class: Name of the model's class.
        config: Its `AlbertConfig`.
        weights: Arrays by this package's names, in its layout: float32, or
            float64 for models of that type. The kernel of a quantized layer is
            int8, next to its `kernel_scale`.
        arguments: Arguments of the class other than the backbone, such as
            `num_classes`.
        vocabulary: The SentencePiece model as bytes, or None.
        tokenizer: Arguments of `AlbertTokenizer` other than the vocabulary.
        card: Fields of the model card, see `model_card`.
        source: Where the weights were read from, for messages.
        left_over: Names in the source that match no weight of this package.
        absent: Beginnings of the names of weights that the source lacks
            because its system does not save them.
    """

    model_class: str
    config: AlbertConfig
    weights: dict[str, np.ndarray]
    arguments: dict = dataclasses.field(default_factory=dict)
    vocabulary: bytes | None = None
    tokenizer: dict = dataclasses.field(default_factory=dict)
    card: dict = dataclasses.field(default_factory=dict)
    source: str = ""
    left_over: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def num_parameters(self) -> int:
        return sum(array.size for array in self.weights.values())

    @property
    def quantized_layers(self) -> tuple[str, ...]:
        """Places of the layers whose kernels are int8."""
        return tuple(
            name.rpartition("/")[0]
            for name, array in self.weights.items()
            if array.dtype == "int8"
        )


def model_class_of(weights: Iterable[str]) -> str:
    """Returns the name of the class whose heads match the weights.

    Args:
        weights: Names of weights.

    Returns:
        A class name; with several fine-tuned heads, that of the first match.
    """
    heads = {name.split("/")[0] for name in weights} - {"backbone"}
    if frozenset(heads) in MODEL_CLASSES:
        return MODEL_CLASSES[frozenset(heads)]
    for head in ("span_head", "classifier", "mlm_head"):
        if head in heads:
            return MODEL_CLASSES[frozenset({head})]
    return "AlbertBackbone"


def read_json(path: str | Path) -> dict[str, Any]:
    """Reads the object in a JSON file.

    Raises:
        ValueError: If the file is missing, is not UTF-8 text or does not hold
            a JSON object.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is missing. Save or copy the model again.")
    text = read_text(path)
    try:
        values = parse_json(text)
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: {error}. Save or copy the model again."
        ) from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} must hold a JSON object. Received: "
            f"{type(values).__name__}."
        )
    return values


def write_json(path: str | Path, values: Any) -> None:
    """Writes a value as indented JSON."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def object_in(
    path: str | Path, values: dict[str, Any], key: str
) -> dict[str, Any]:
    """Returns the object under a key of a JSON object; empty if missing.

    Raises:
        ValueError: If the value is not an object; names the file.
    """
    value = values.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(
            f"{path} is damaged: {key!r} must be an object. "
            f"Received: {value!r:.60}."
        )
    return value


def check_arguments(source: str | Path, arguments: dict[str, Any]) -> None:
    """Raises unless the model arguments read from a file are valid.

    Arguments of custom classes are not checked.
    """
    for name, value in arguments.items():
        if name in _ARGUMENTS and not _ARGUMENTS[name](value):
            raise ValueError(
                f"{source} is damaged: {name!r} of the model is "
                f"{value!r:.80}. Save or copy the model again."
            )
    names, count = arguments.get("class_names"), arguments.get("num_classes")
    if names and count and len(set(names)) != count:
        raise ValueError(
            f"{source} is damaged: 'class_names' must be {count} different "
            f"names, one per class. Received: {names!r:.80}."
        )
    if count and ("problem" in arguments or "thresholds" in arguments):
        problem = arguments.get("problem")
        try:
            check_problem(problem, count, arguments.get("thresholds"))
        except ValueError as error:
            raise ValueError(f"{source} is damaged: {error}") from error


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_names(value):
    return isinstance(value, (list, tuple)) and all(
        isinstance(name, str) for name in value
    )


_ARGUMENTS = {
    "answerability_head": lambda value: isinstance(value, bool),
    "class_names": lambda value: value is None or _are_names(value),
    "dropout": lambda value: _is_number(value) and 0 <= value < 1,
    "head_epsilon": lambda value: (
        value is None or (_is_number(value) and value > 0)
    ),
    "num_classes": lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and value > 0
    ),
}


def config_from(path: str | Path, fields: dict[str, Any]) -> AlbertConfig:
    """Creates an `AlbertConfig` from fields read from a file.

    Raises:
        ValueError: If a value is invalid; names the file.
    """
    try:
        return AlbertConfig.from_dict(fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def config_from_values(
    path: str | Path,
    values: dict[str, Any],
    fields: dict[str, tuple[str, Any]],
    activations: dict[str, str],
    activation: str,
) -> AlbertConfig:
    """Creates an `AlbertConfig` from another system's configuration file.

    Args:
        path: The file, for messages.
        values: Content of the file.
        fields: Maps our field names to (their name, their default).
        activations: Maps their activation names to ours.
        activation: Their default activation.

    Raises:
        ValueError: If the activation is unknown or a value is invalid.
    """
    name = values.get("hidden_act", activation)
    if not isinstance(name, str) or name not in activations:
        raise ValueError(
            f"{path}: `hidden_act` must be one of {sorted(activations)}. "
            f"Received: {name!r}."
        )
    found = {
        ours: values.get(theirs, default)
        for ours, (theirs, default) in fields.items()
    }
    return config_from(path, {**found, "activation": activations[name]})
