"""Reads and writes Hugging Face's format.

It consists of `config.json`, `model.safetensors` and the tokenizer's files.
"""

from pathlib import Path
from typing import Any

from albert_keras.config import AlbertConfig
from albert_keras.conversion.huggingface_tokenizer import (
    read_tokenizer,
    write_tokenizer,
)
from albert_keras.conversion.pretrained_parts import (
    TF1_FIELDS,
    PretrainedParts,
    config_from_values,
    model_class_of,
    read_json,
    write_json,
)
from albert_keras.conversion.safetensors_files import (
    read_safetensors,
    write_safetensors,
)
from albert_keras.conversion.weight_translation import from_stored, to_stored
from albert_keras.files.safe_path import inside_directory
from albert_keras.problems import (
    MULTI_LABEL,
    REGRESSION,
    SINGLE_LABEL,
)

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
FILES = (
    CONFIG_FILE,
    WEIGHTS_FILE,
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
)
_PICKLE = (
    "PyTorch's files are pickles, which can run arbitrary code",
    "pip install transformers torch",
    "",
)
# Why they are not read, what converts them, and with which arguments.
# Versions 5 of transformers read neither TensorFlow's nor Flax's weights.
_OTHER_WEIGHTS = {
    "pytorch_model.bin": _PICKLE,
    "pytorch_model.bin.index.json": _PICKLE,
    "tf_model.h5": (
        "it is the format of transformers' TensorFlow classes, which exist no "
        "longer",
        "pip install 'transformers<5' torch tensorflow tf-keras",
        ", from_tf=True",
    ),
    "flax_model.msgpack": (
        "it is the format of transformers' Flax classes, which exist no longer",
        "pip install 'transformers<5' torch flax",
        ", from_flax=True",
    ),
}

_FIELDS = {**TF1_FIELDS, "layer_norm_epsilon": ("layer_norm_eps", 1e-12)}
# The version 1 files on the hub have "gelu", which is the exact one there,
# although Google trained the models with the tanh approximation. We compute
# what Hugging Face computes; load with `activation="gelu_tanh"` to compute
# what Google does. The two differ by at most 5e-4.
_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}
_ARCHITECTURES = {
    "AlbertBackbone": "AlbertModel",
    "AlbertForPretraining": "AlbertForPreTraining",
}
_PROBLEM_TYPES = {
    SINGLE_LABEL: "single_label_classification",
    MULTI_LABEL: "multi_label_classification",
    REGRESSION: "regression",
}
_POOLER = "backbone/pooler/"
_WITHOUT_POOLER = (
    "AlbertForMaskedLM",
    "AlbertForQuestionAnswering",
    "AlbertForTokenClassification",
)
# Copies of the token embedding and of the output bias; a buffer in old files.
_IGNORED = {
    "predictions.decoder.weight",
    "predictions.decoder.bias",
    "albert.embeddings.position_ids",
}


def recognizes(directory: Path) -> bool:
    path = directory / CONFIG_FILE
    return path.is_file() and "registered_name" not in read_json(path)


def read(directory: Path) -> PretrainedParts:
    path = directory / CONFIG_FILE
    values = read_json(path)
    config = read_config(path, values)
    paths = find_weights(directory)
    with read_safetensors(paths) as (shapes, read_array):
        prefix = _prefix(shapes)
        shapes = {prefix + name: shape for name, shape in shapes.items()}
        weights, left_over = from_stored(
            "huggingface",
            config,
            shapes,
            lambda name: read_array(name[len(prefix) :]),
            directory / WEIGHTS_FILE,
            _IGNORED,
        )
    # The models of some tasks are saved without the pooler.
    lacks_pooler = not any(n.startswith(_POOLER) for n in weights)
    return PretrainedParts(
        model_class=_model_class(values, weights),
        config=config,
        weights=weights,
        arguments=_arguments(values, weights),
        source=str(directory / WEIGHTS_FILE),
        left_over=left_over,
        absent=(_POOLER,) if lacks_pooler else (),
        **read_tokenizer(directory),
    )


def read_config(path: Path, values: dict[str, Any]) -> AlbertConfig:
    kind = values.get("model_type")
    if kind != "albert":
        raise ValueError(
            f"{path} does not describe an ALBERT model: `model_type` is "
            f"{kind!r}. Pass the directory of an ALBERT model."
        )
    if values.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(
            f"{path}: `position_embedding_type` must be 'absolute'. "
            f"Received: {values['position_embedding_type']!r}."
        )
    return config_from_values(path, values, _FIELDS, _ACTIVATIONS, "gelu_new")


def find_weights(directory: Path) -> list[Path]:
    """Returns the safetensors files: one, or several shards.

    Raises:
        ValueError: If there are none. Pickle files are refused, since reading
            one can run arbitrary code.
    """
    index = directory / INDEX_FILE
    if (directory / WEIGHTS_FILE).is_file():
        return [directory / WEIGHTS_FILE]
    if index.is_file():
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict):
            raise ValueError(f"{index} is damaged: it has no `weight_map`.")
        paths = {
            inside_directory(directory, name, source=index)
            for name in shards.values()
        }
        return sorted(paths)
    others = [name for name in _OTHER_WEIGHTS if (directory / name).exists()]
    if others:
        reason, package, argument = _OTHER_WEIGHTS[others[0]]
        raise ValueError(
            f"{directory} has its weights in {others[0]}, which is not read "
            f"here: {reason}. Expected model.safetensors. Write it once with "
            f"Hugging Face's transformers ({package}): "
            f"AutoModelForPreTraining.from_pretrained({str(directory)!r}"
            f"{argument}).save_pretrained({str(directory)!r})."
        )
    raise ValueError(
        f"{directory / WEIGHTS_FILE} is missing. Copy the model again."
    )


def check(parts: PretrainedParts) -> None:
    """Raises nothing: Hugging Face's model computes the same function."""


def write(directory: Path, parts: PretrainedParts) -> list[str]:
    """Writes the files; returns the names of weights not stored."""
    weights = dict(parts.weights)
    pooler = [name for name in weights if name.startswith(_POOLER)]
    if parts.model_class in _WITHOUT_POOLER:
        for name in pooler:
            del weights[name]
    arrays, dropped = to_stored("huggingface", parts.config, weights)
    architecture = _ARCHITECTURES.get(parts.model_class, parts.model_class)
    if architecture == "AlbertModel":
        arrays = {k.removeprefix("albert."): v for k, v in arrays.items()}
    write_safetensors(directory / WEIGHTS_FILE, arrays, {"format": "pt"})
    write_json(directory / CONFIG_FILE, _config_values(parts, architecture))
    if parts.vocabulary is not None:
        write_tokenizer(directory, parts)
    return sorted({*dropped, *(set(pooler) - set(weights))})


def _config_values(parts, architecture):
    inverse = {}
    for theirs, ours in _ACTIVATIONS.items():
        inverse.setdefault(ours, theirs)
    values = {
        "architectures": [architecture],
        "model_type": "albert",
        **{
            theirs: getattr(parts.config, ours)
            for ours, (theirs, _) in _FIELDS.items()
        },
        "hidden_act": inverse[parts.config.activation],
        "classifier_dropout_prob": parts.arguments.get("dropout", 0.1),
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "torch_dtype": _torch_dtype(parts.weights),
    }
    # Multiple choice has one score per choice: no labels.
    labelled = parts.model_class != "AlbertForMultipleChoice"
    if "classifier/bias" in parts.weights and labelled:
        names = parts.arguments.get("class_names") or [
            f"LABEL_{i}" for i in range(len(parts.weights["classifier/bias"]))
        ]
        values["id2label"] = {str(i): name for i, name in enumerate(names)}
        values["label2id"] = {name: i for i, name in enumerate(names)}
    if problem := parts.arguments.get("problem"):
        values["problem_type"] = _PROBLEM_TYPES[problem]
    if thresholds := parts.arguments.get("thresholds"):
        values["thresholds"] = list(thresholds)  # only read by this package
    return values


def _torch_dtype(weights):
    """The type in which the arrays are stored."""
    types = {str(array.dtype) for array in weights.values()}
    return types.pop() if len(types) == 1 else "float32"


def _prefix(names):
    """Returns the missing name prefix: the bare model omits "albert."."""
    return (
        "" if any(name.startswith("albert.") for name in names) else "albert."
    )


def _model_class(values, weights):
    inverse = {theirs: ours for ours, theirs in _ARCHITECTURES.items()}
    named = values.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    known = inverse.get(architecture, architecture)
    heads = model_class_of(weights)
    # The weights do not tell what is classified; the architecture name does.
    if heads == "AlbertForSequenceClassification" and known in (
        "AlbertForTokenClassification",
        "AlbertForMultipleChoice",
    ):
        return known
    return heads


def _arguments(values, weights):
    if "classifier/bias" not in weights:
        return {}
    num_classes = len(weights["classifier/bias"])
    arguments = {
        "dropout": values.get("classifier_dropout_prob", 0.1),
        "class_names": _class_names(values.get("id2label"), num_classes),
    }
    # Other values and combinations have no meaning in Hugging Face, or, for a
    # regression of several numbers, none here: the logits are the same.
    if values.get("problem_type") == _PROBLEM_TYPES[MULTI_LABEL]:
        arguments["problem"] = MULTI_LABEL
        arguments["thresholds"] = values.get("thresholds")
    return arguments


def _class_names(labels, num_classes):
    """Returns the class names; None for the default LABEL_0, LABEL_1, ..."""
    ids = [str(i) for i in range(num_classes)]
    if not isinstance(labels, dict) or sorted(labels) != sorted(ids):
        return None
    names = [labels[i] for i in ids]
    unnamed = names == [f"LABEL_{i}" for i in ids]
    if unnamed or not all(isinstance(name, str) for name in names):
        return None
    return names if len(set(names)) == num_classes else None
