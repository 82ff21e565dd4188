"""Reads and writes this package's own format.

- `albert_keras.json`: class, arguments and configuration of the model.
- `weights.safetensors`: each variable by its place in the model. The kernel of
  a quantized layer is int8, next to its `kernel_scale`.
- `vocabulary.model`: the SentencePiece model.
- `albert_keras_tokenizer.json`: the tokenizer's settings.
"""

from pathlib import Path
from typing import Any

from albert_keras.config import AlbertConfig
from albert_keras.conversion.pretrained_parts import (
    PretrainedParts,
    config_from,
    object_in,
    read_json,
    write_json,
)
from albert_keras.conversion.safetensors_files import (
    read_safetensors,
    write_safetensors,
)
from albert_keras.conversion.weight_translation import from_stored

CONFIG_FILE = "albert_keras.json"
WEIGHTS_FILE = "weights.safetensors"
VOCABULARY_FILE = "vocabulary.model"
TOKENIZER_FILE = "albert_keras_tokenizer.json"
_TOKENIZER_SETTINGS = {
    "lowercase": (True, False),
    "remove_accents": (True, False),
    "style": ("google", "huggingface"),
}
FILES = (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE, TOKENIZER_FILE)


def recognizes(directory: Path) -> bool:
    return (directory / CONFIG_FILE).is_file()


def read(directory: Path) -> PretrainedParts:
    path = directory / CONFIG_FILE
    description = read_json(path)
    if not isinstance(description.get("config"), dict):
        raise ValueError(f"{path} is damaged: it has no `config`.")
    fields = {**AlbertConfig().to_dict(), **description["config"]}
    config = config_from(path, fields)
    weights_path = directory / WEIGHTS_FILE
    with read_safetensors([weights_path]) as (shapes, read_array):
        scales = [f"{name}_scale" for name in shapes]
        scales = [name for name in scales if name in shapes]
        weights, others = from_stored(
            "keras", config, shapes, read_array, weights_path, scales
        )
        # The scales of quantized layers, and the heads of custom classes.
        weights |= {name: read_array(name) for name in (*scales, *others)}
    _check_scales(weights_path, weights)
    return PretrainedParts(
        model_class=str(description.get("class", "AlbertBackbone")),
        config=config,
        weights=weights,
        arguments=object_in(path, description, "arguments"),
        card=object_in(path, description, "card"),
        source=str(weights_path),
        **read_tokenizer(directory),
    )


def _check_scales(path, weights):
    """Raises unless every int8 array has its scale."""
    for name, array in weights.items():
        if array.dtype == "int8" and f"{name}_scale" not in weights:
            raise ValueError(
                f"{path} is damaged: {name} is int8, but {name}_scale is "
                "missing. Save or copy the model again."
            )


def read_tokenizer(directory: Path) -> dict[str, Any]:
    vocabulary = directory / VOCABULARY_FILE
    settings = directory / TOKENIZER_FILE
    return {
        "vocabulary": vocabulary.read_bytes() if vocabulary.is_file() else None,
        "tokenizer": _read_settings(settings) if settings.is_file() else {},
    }


def _read_settings(path):
    """Reads the arguments of `AlbertTokenizer` other than the vocabulary."""
    settings = read_json(path)
    for name, value in settings.items():
        known = _TOKENIZER_SETTINGS.get(name, ())
        if not any(value is v or value == v == str(v) for v in known):
            raise ValueError(
                f"{path} is damaged: {name!r} is {value!r:.60}. Expected one "
                f"of {_TOKENIZER_SETTINGS}."
            )
    return settings


def write_tokenizer(
    directory: Path, vocabulary: bytes, settings: dict[str, Any]
) -> None:
    (directory / VOCABULARY_FILE).write_bytes(vocabulary)
    write_json(directory / TOKENIZER_FILE, settings)


def check(parts: PretrainedParts) -> None:
    """Raises nothing: the format stores every model."""


def write(directory: Path, parts: PretrainedParts) -> list[str]:
    """Writes the files; returns the names of weights not stored: none."""
    write_safetensors(directory / WEIGHTS_FILE, parts.weights)
    description = {
        "format": "albert_keras",
        "format_version": 1,
        "class": parts.model_class,
        "arguments": parts.arguments,
        "config": parts.config.to_dict(),
        "card": parts.card,
    }
    write_json(directory / CONFIG_FILE, description)
    if parts.vocabulary is not None:
        write_tokenizer(directory, parts.vocabulary, parts.tokenizer)
    return []
