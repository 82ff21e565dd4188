"""Reads and writes the format of Google's TensorFlow 1 release.

It consists of `albert_config.json`, a checkpoint `model.ckpt-best.*` and the
SentencePiece model. TensorFlow is required, with any Keras backend. The graph
file `model.ckpt-best.meta` is not written: restoring variables from the
checkpoint does not need it.
"""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from albert_keras.config import AlbertConfig
from albert_keras.conversion.pretrained_parts import (
    TF1_FIELDS,
    PretrainedParts,
    config_from_values,
    model_class_of,
    read_json,
    write_json,
)
from albert_keras.conversion.weight_names import PROJECTION
from albert_keras.conversion.weight_translation import from_stored, to_stored

CONFIG_FILE = "albert_config.json"
CHECKPOINT = "model.ckpt-best"
VOCABULARY_FILE = "30k-clean.model"
FILES = (
    CONFIG_FILE,
    f"{CHECKPOINT}.index",
    f"{CHECKPOINT}.data-00000-of-00001",
    f"{CHECKPOINT}.meta",
    VOCABULARY_FILE,
    "30k-clean.vocab",
)

# Google's "gelu" is the tanh approximation, in versions 1 and 2.
_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu"}
_OPTIMIZER_SLOTS = ("/adam_m", "/adam_v")


def recognizes(directory: Path) -> bool:
    return (directory / CONFIG_FILE).is_file()


def read(directory: Path) -> PretrainedParts:
    config = read_config(directory / CONFIG_FILE)
    prefix = find_checkpoint(directory)
    with _explain_damage(prefix):
        reader = _tensorflow().train.load_checkpoint(str(prefix))
        shapes = {
            name: tuple(shape)
            for name, shape in reader.get_variable_to_shape_map().items()
            if not name.endswith(_OPTIMIZER_SLOTS)
        }
        read_array = reader.get_tensor
        identity = _identity_projection(config)
        if not identity.keys() & shapes.keys():
            shapes |= {name: array.shape for name, array in identity.items()}
            read_array = _with_defaults(identity, reader.get_tensor)
        weights, left_over = from_stored(
            "google", config, shapes, read_array, prefix, {"global_step"}
        )
    return PretrainedParts(
        model_class=model_class_of(weights),
        config=config,
        weights=weights,
        source=str(prefix),
        left_over=left_over,
        **read_tokenizer(directory),
    )


def read_config(path: Path) -> AlbertConfig:
    values = read_json(path)
    if "vocab_size" not in values:
        raise ValueError(
            f"{path} does not describe an ALBERT model: no vocab_size."
        )
    return config_from_values(path, values, TF1_FIELDS, _ACTIVATIONS, "gelu")


def find_checkpoint(directory: Path) -> Path:
    """Returns the prefix of `model.ckpt-best`, or of the only checkpoint.

    Raises:
        ValueError: If there is none or more than one, or a file is missing.
    """
    prefixes = [
        path.with_suffix("") for path in sorted(directory.glob("*.index"))
    ]
    if directory / CHECKPOINT in prefixes:
        prefixes = [directory / CHECKPOINT]
    if len(prefixes) != 1:
        names = [prefix.name for prefix in prefixes]
        raise ValueError(
            f"{directory} must hold one checkpoint, {CHECKPOINT}.index. "
            f"Received: {names or 'none'}. Keep one, or copy it again."
        )
    if not list(directory.glob(f"{prefixes[0].name}.data-*")):
        raise ValueError(
            f"{prefixes[0]}.data-* is missing. Copy the checkpoint again."
        )
    return prefixes[0]


def read_tokenizer(directory: Path) -> dict[str, Any]:
    candidates = [directory / VOCABULARY_FILE]
    if not candidates[0].is_file():
        candidates = sorted(directory.glob("*.model"))
    vocabulary = candidates[0].read_bytes() if candidates else None
    return {"vocabulary": vocabulary, "tokenizer": {}}


def check(parts: PretrainedParts) -> None:
    """Raises if Google's model cannot compute the same function."""
    config = parts.config
    if config.activation not in _ACTIVATIONS.values():
        raise ValueError(
            "Google's format supports only the activations "
            f"{sorted(_ACTIVATIONS.values())}. Received: "
            f"{config.activation!r}."
        )
    if config.embedding_dim == config.hidden_dim:
        raise ValueError(
            "Google's model has no embedding projection if embedding_dim "
            f"equals hidden_dim. Received: {config.hidden_dim} for both, with "
            "a projection. Save it in another format."
        )


def write(directory: Path, parts: PretrainedParts) -> list[str]:
    """Writes the files; returns the names of weights not stored."""
    arrays, dropped = to_stored("google", parts.config, parts.weights)
    # Google's programs read float32 only.
    arrays = {name: a.astype("float32") for name, a in arrays.items()}
    arrays["global_step"] = np.array(parts.card.get("updates") or 0, "int64")
    names = sorted(arrays)
    raw_ops = _tensorflow().raw_ops
    raw_ops.SaveV2(
        prefix=str(directory / CHECKPOINT),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[arrays[name] for name in names],
    )
    values = {
        theirs: getattr(parts.config, ours)
        for ours, (theirs, _) in TF1_FIELDS.items()
    }
    inverse = {ours: theirs for theirs, ours in _ACTIVATIONS.items()}
    values["hidden_act"] = inverse[parts.config.activation]
    write_json(directory / CONFIG_FILE, values)
    if parts.vocabulary is not None:
        _write_vocabulary(directory, parts.vocabulary)
    return dropped


def _write_vocabulary(directory, vocabulary):
    path = directory / VOCABULARY_FILE
    path.write_bytes(vocabulary)
    processor = sentencepiece.SentencePieceProcessor(model_proto=vocabulary)
    lines = [
        f"{processor.id_to_piece(i)}\t{processor.get_score(i):g}\n"
        for i in range(processor.get_piece_size())
    ]
    path.with_suffix(".vocab").write_text("".join(lines), encoding="utf-8")


def _identity_projection(config):
    """Arrays for the projection, which Google's model omits if E = H."""
    if config.embedding_dim != config.hidden_dim:
        return {}
    width = config.hidden_dim
    kernel, bias = PROJECTION
    return {
        kernel.google.name: np.eye(width, dtype="float32"),
        bias.google.name: np.zeros(width, "float32"),
    }


def _with_defaults(arrays, read):
    return lambda name: arrays[name] if name in arrays else read(name)


def _tensorflow():
    try:
        import tensorflow
    except ImportError as error:
        raise ValueError(
            "Google's checkpoints need TensorFlow. Install it: "
            "pip install tensorflow-cpu."
        ) from error
    return tensorflow


@contextlib.contextmanager
def _explain_damage(prefix):
    """Turns TensorFlow's errors into a `ValueError` that names the file."""
    try:
        yield
    except ValueError:
        raise
    except Exception as error:  # OpError, IndexError, RuntimeError, ...
        raise ValueError(
            f"{prefix} is damaged: {error}. Copy the checkpoint again."
        ) from error
