"""Reads and writes KerasHub's presets, through KerasHub itself.

A preset holds `config.json` and `model.weights.h5` of the backbone; a task's
preset also `task.json` and the heads' `task.weights.h5`.
"""

import collections
import concurrent.futures
from pathlib import Path
from typing import Any

import h5py

from albert_keras.config import AlbertConfig
from albert_keras.conversion.pretrained_parts import (
    PretrainedParts,
    config_from,
    model_class_of,
    object_in,
    read_json,
    write_json,
)
from albert_keras.conversion.weight_names import stored_shape, weights_of
from albert_keras.conversion.weight_places import weights_by_place
from albert_keras.conversion.weight_translation import (
    from_stored,
    listed,
    to_stored,
)

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.weights.h5"
TASK_FILE = "task.json"
TASK_WEIGHTS_FILE = "task.weights.h5"
TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILE = "assets/tokenizer/vocabulary.spm"
FILES = (
    CONFIG_FILE,
    WEIGHTS_FILE,
    TASK_FILE,
    TASK_WEIGHTS_FILE,
    "metadata.json",
    TOKENIZER_FILE,
    "preprocessor.json",
    "assets",
)
# KerasHub's AlbertMaskedLM uses its head's default, not the backbone's value.
MASKED_LM_EPSILON = 1e-5

_FIELDS = {
    name: name
    for name in (
        "vocabulary_size",
        "num_layers",
        "num_heads",
        "num_groups",
        "num_inner_repetitions",
        "embedding_dim",
        "hidden_dim",
        "intermediate_dim",
        "max_sequence_length",
        "num_segments",
    )
} | {"hidden_dropout": "dropout", "attention_dropout": "dropout"}
_TASKS = {
    "AlbertForMaskedLM": "AlbertMaskedLM",
    "AlbertForPretraining": "AlbertMaskedLM",
    "AlbertForSequenceClassification": "AlbertTextClassifier",
}


def recognizes(directory: Path) -> bool:
    path = directory / CONFIG_FILE
    return path.is_file() and "registered_name" in read_json(path)


def read(directory: Path) -> PretrainedParts:
    path = directory / CONFIG_FILE
    config = read_config(path)
    check_shapes(directory / WEIGHTS_FILE, config)
    # Keras's scopes, such as that of a layer that is being built, belong to
    # one thread. The preset is loaded outside of them, in another.
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(_load, directory, config).result()


def _load(directory, config):
    task = _task_name(directory)
    try:
        if task:
            model = getattr(_keras_hub().models, task).from_preset(
                str(directory), preprocessor=None, dtype="float32"
            )
        else:
            model = _keras_hub().models.AlbertBackbone.from_preset(
                str(directory), dtype="float32"
            )
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{directory} is damaged: {error}. Copy the preset again."
        ) from error
    return _parts(model, config, directory)


def _parts(model, config, directory):
    """Returns the `PretrainedParts` of a loaded KerasHub model."""
    arrays = weights_by_place(model)
    weights, left_over = from_stored(
        "keras_hub",
        config,
        {name: variable.shape for name, variable in arrays.items()},
        lambda name: arrays[name].numpy(),
        directory,
    )
    model_class = model_class_of(weights)
    arguments = {}
    if "mlm_head/output_bias" in weights:
        arguments["head_epsilon"] = MASKED_LM_EPSILON
    if "classifier/bias" in weights:
        arguments["dropout"] = model.dropout
    return PretrainedParts(
        model_class=model_class,
        config=config,
        weights=weights,
        arguments=arguments,
        source=str(directory),
        left_over=left_over,
        **read_tokenizer(directory),
    )


def read_config(path: Path) -> AlbertConfig:
    description = read_json(path)
    kind = description.get("class_name")
    if kind != "AlbertBackbone":
        raise ValueError(
            f"{path} does not describe an ALBERT model: `class_name` is "
            f"{kind!r}. Pass the preset of an ALBERT model."
        )
    # KerasHub imports the module that the file names.
    module = str(description.get("module"))
    if module.split(".")[0] != "keras_hub":
        raise ValueError(
            f"{path} is not KerasHub's: `module` is {module!r}. Pass a "
            "preset that KerasHub saved."
        )
    values = object_in(path, description, "config")
    missing = sorted(set(_FIELDS.values()) - set(values))
    if missing:
        raise ValueError(f"{path} is damaged: it has no {missing}.")
    fields = {ours: values[theirs] for ours, theirs in _FIELDS.items()}
    return config_from(path, {**fields, "activation": "gelu_tanh"})


def check_shapes(path: Path, config: AlbertConfig) -> None:
    """Raises unless a weight file has exactly the backbone's arrays.

    KerasHub loads weights by position and leaves missing ones at their random
    initial values; so the shapes are compared first.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing. Copy the preset again.")
    found = collections.Counter()

    def count(_, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind != "u":
            found[item.shape] += 1

    try:
        with h5py.File(path) as file:
            file.visititems(count)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"{path} is damaged: {error}. Copy the preset again."
        ) from error
    expected = collections.Counter(
        stored_shape(w.shape, w.keras_hub.layout, config.num_heads)
        for w in weights_of(config)
        if w.keras_hub and w.name.startswith("backbone/")
    )
    if found != expected:
        raise ValueError(
            f"{path} does not fit the configuration: the file has arrays of "
            f"shapes {sorted(found - expected)}, the configuration requires "
            f"{sorted(expected - found)} instead. Check that both belong to "
            "the same model."
        )


def read_tokenizer(directory: Path) -> dict[str, Any]:
    path = directory / VOCABULARY_FILE
    vocabulary = path.read_bytes() if path.is_file() else None
    return {"vocabulary": vocabulary, "tokenizer": {}}


def check(parts: PretrainedParts) -> None:
    """Raises if KerasHub's model cannot compute the same function."""
    config = parts.config
    if config.activation != "gelu_tanh":
        raise ValueError(
            "KerasHub's ALBERT supports only the activation 'gelu_tanh'. "
            f"Received: {config.activation!r}."
        )
    if config.layer_norm_epsilon != 1e-12:
        raise ValueError(
            "KerasHub's ALBERT requires `layer_norm_epsilon` 1e-12. "
            f"Received: {config.layer_norm_epsilon}."
        )
    _keras_hub()


def write(directory: Path, parts: PretrainedParts) -> list[str]:
    """Writes the files; returns the names of weights not stored."""
    keras_hub = _keras_hub()
    arrays, dropped = to_stored("keras_hub", parts.config, parts.weights)
    values = {
        theirs: getattr(parts.config, ours) for ours, theirs in _FIELDS.items()
    }
    model = backbone = keras_hub.models.AlbertBackbone(
        **values, dtype="float32"
    )
    task = _TASKS.get(parts.model_class)
    if task == "AlbertMaskedLM":
        model = keras_hub.models.AlbertMaskedLM(backbone, preprocessor=None)
    elif task == "AlbertTextClassifier":
        model = keras_hub.models.AlbertTextClassifier(
            backbone,
            num_classes=len(parts.weights["classifier/bias"]),
            preprocessor=None,
            dropout=parts.arguments.get("dropout", 0.1),
        )
    variables = weights_by_place(model)
    if variables.keys() - arrays.keys():
        raise ValueError(
            f"KerasHub {keras_hub.__version__} has weights in its ALBERT that "
            "this package does not know: "
            f"{listed(sorted(variables.keys() - arrays.keys()))}. Save the "
            "model in another format, such as 'keras'."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    # Weights of heads that the preset's task does not have.
    dropped += [name for name in arrays if name not in variables]
    model.save_to_preset(str(directory))
    if parts.vocabulary is not None:
        _write_tokenizer(directory, parts.vocabulary)
    return dropped


def _write_tokenizer(directory, vocabulary):
    """Writes the files that the tokenizer's `save_to_preset` would write.

    KerasHub does not load the vocabulary for this: KerasHub 0.31 does not
    work with sentencepiece 0.2.3, and 0.2.1 crashes together with TensorFlow.
    """
    import keras  # not at the top: a token store imports this module

    tokenizer = _keras_hub().models.AlbertTokenizer(proto=None)
    write_json(
        directory / TOKENIZER_FILE,
        keras.saving.serialize_keras_object(tokenizer),
    )
    path = directory / VOCABULARY_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(vocabulary)


def _task_name(directory):
    """Returns the class of a preset's task; None if it is not supported.

    Raises:
        ValueError: If the head's weights are missing. KerasHub would leave
            them at their random initial values.
    """
    if not (directory / TASK_FILE).is_file():
        return None
    name = read_json(directory / TASK_FILE).get("class_name")
    if name not in _TASKS.values():
        return None
    weights = directory / TASK_WEIGHTS_FILE
    if not weights.is_file():
        raise ValueError(
            f"{weights} is missing: the head of the {name}. Copy the preset "
            f"again, or remove {TASK_FILE} to load only the backbone."
        )
    return name


def _keras_hub():
    try:
        import keras_hub
    except ImportError as error:
        raise ValueError(
            "KerasHub's presets need KerasHub. Install it: "
            "pip install keras-nlp."
        ) from error
    return keras_hub
