"""Models that are saved to, and loaded from, a pretrained directory."""

import json
import logging
import re
from pathlib import Path

import keras
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from albert_keras.atomic_write import atomic_directory
from albert_keras.config import AlbertConfig
from albert_keras.training.run_directory import CHECKPOINTS

CONFIG_FILE = "albert_keras.json"
WEIGHTS_FILE = "weights.safetensors"

_logger = logging.getLogger(__name__)


class PretrainedModel(keras.Model):
    """A Keras model with `save_pretrained` and `from_pretrained`.

    A pretrained directory holds `albert_keras.json` (format, class and
    configuration), `weights.safetensors` (each variable by its path in the
    model) and, where a tokenizer was given, its vocabulary.
    """

    def save_pretrained(self, directory, format="keras", tokenizer=None):
        """Writes the model to a directory, whole or not at all.

        Args:
            directory: Path; an earlier pretrained directory there is
                replaced.
            format: `"keras"`, this package's own.
            tokenizer: An `AlbertTokenizer` to save along.

        Raises:
            ValueError: If the format is unknown, or the directory holds
                something other than a pretrained model.
        """
        if format != "keras":
            raise ValueError(f"`format` must be 'keras'. Received: {format!r}.")
        directory = Path(directory)
        check_replaceable(directory)
        with atomic_directory(directory) as temporary:
            self.write_pretrained(temporary, tokenizer)

    def write_pretrained(self, directory, tokenizer=None):
        """Adds the files of `save_pretrained` to an existing directory."""
        directory = Path(directory)
        weights = {
            name: np.asarray(keras.ops.convert_to_numpy(variable))
            for name, variable in named_weights(self).items()
        }
        safetensors.numpy.save_file(weights, directory / WEIGHTS_FILE)
        description = {
            "format": "albert_keras",
            "format_version": 1,
            "class": type(self).__name__,
            "config": self.config.to_dict(),
        }
        (directory / CONFIG_FILE).write_text(
            json.dumps(description, indent=2) + "\n", encoding="utf-8"
        )
        if tokenizer is not None:
            tokenizer.write_pretrained(directory)

    @classmethod
    def from_pretrained(cls, directory, dtype=None, **kwargs):
        """Loads a model from a pretrained directory or a run directory.

        Any of the package's models loads from any other's directory: what
        both have is taken over, heads that the directory lacks keep their
        random weights and are named in a warning.

        Args:
            directory: What `save_pretrained` wrote, or the `--output_dir` of
                a pretraining run, of which the newest model is taken.
            dtype: Type policy of the model, such as "mixed_bfloat16".
            **kwargs: Fields of `AlbertConfig` to replace, such as
                `hidden_dropout`, and arguments of the class.

        Raises:
            ValueError: If the directory is of no known kind, a file is
                damaged, or configuration and weights do not agree.
        """
        directory = find_pretrained(directory)
        config = read_config(directory)
        fields = {key: kwargs.pop(key) for key in list(kwargs) if key in config}
        config = AlbertConfig.from_dict({**config, **fields})
        model = cls.from_albert_config(config, dtype=dtype, **kwargs)
        load_weights(model, directory / WEIGHTS_FILE)
        return model


def named_weights(model):
    """Each weight of a model by a name that no instance's name is part of.

    A variable's path starts with the name of the model that built it, which
    Keras numbers; what follows is ours. The backbone's are put under
    `backbone/`.
    """
    names = {}
    backbone = getattr(model, "backbone", model)
    backbone_ids = {id(variable) for variable in backbone.weights}
    for variable in model.weights:
        name = variable.path.split("/", 1)[1]
        if id(variable) in backbone_ids:
            name = f"backbone/{name}"
        names[name] = variable
    return names


def find_pretrained(directory):
    """The directory itself, or the newest checkpoint of a run directory."""
    directory = Path(directory)
    if (directory / CONFIG_FILE).is_file():
        return directory
    checkpoints = [
        path.parent
        for path in directory.glob(f"{CHECKPOINTS}/*/{CONFIG_FILE}")
        if not path.parent.name.startswith(".")
    ]
    if checkpoints:
        return max(checkpoints, key=_step_of)
    raise ValueError(
        f"{directory} is not a pretrained directory: it holds neither "
        f"{CONFIG_FILE} nor {CHECKPOINTS}/*/{CONFIG_FILE}. "
        f"{_contents(directory)} Pass a directory written by "
        "`save_pretrained` or the output directory of a pretraining run."
    )


def read_config(directory):
    """The configuration in a pretrained directory, as a dictionary."""
    path = Path(directory) / CONFIG_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        config = description["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged: {error!r}. Save the model again."
        ) from error
    return {**AlbertConfig().to_dict(), **config}


def load_weights(model, path):
    """Assigns the weights of a file to a model, by name.

    Everything is read and checked before anything is assigned.

    Raises:
        ValueError: If the file is missing or damaged, or a shape differs.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing. Save the model again.")
    weights = named_weights(model)
    try:
        with safe_open(path, framework="numpy") as file:
            stored = set(file.keys())
            values = {
                name: file.get_tensor(name)
                for name in weights
                if name in stored
            }
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged: {error}. Save or copy the model again."
        ) from error
    for name, value in values.items():
        if value.shape != tuple(weights[name].shape):
            raise ValueError(
                f"{path} does not fit the configuration: {name} has shape "
                f"{value.shape} in the file and {tuple(weights[name].shape)} "
                "in the model."
            )
    for name, value in values.items():
        weights[name].assign(value)
    missing = sorted(set(weights) - stored)
    unused = sorted(stored - set(weights))
    if missing:
        _logger.warning(
            "%s has no weights for %s; they keep their random start.",
            path,
            ", ".join(missing),
        )
    if unused:
        _logger.info("%s: not used: %s.", path, ", ".join(unused))


def check_replaceable(directory):
    """Raises unless the directory is new, empty or a pretrained one."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ValueError(f"{directory} is a file. Pass a directory.")
    if any(directory.iterdir()) and not (directory / CONFIG_FILE).is_file():
        raise ValueError(
            f"{directory} holds something other than a pretrained model. "
            f"{_contents(directory)} Pass a new directory."
        )


def _step_of(path):
    numbers = re.findall(r"\d+", path.name)
    return int(numbers[-1]) if numbers else -1


def _contents(directory):
    if not directory.is_dir():
        return "There is no such directory."
    names = sorted(path.name for path in directory.iterdir())[:8]
    return f"It holds: {', '.join(names) or 'nothing'}."
