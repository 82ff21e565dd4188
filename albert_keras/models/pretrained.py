"""Saves models to pretrained directories, and loads them."""

import dataclasses
import logging

import keras
import numpy as np

from albert_keras.config import AlbertConfig
from albert_keras.conversion import (
    PretrainedParts,
    local_directory,
    read_pretrained,
    write_pretrained,
)
from albert_keras.conversion.formats import write_files
from albert_keras.kernels import fused_kernels
from albert_keras.kernels.cpu_memory_pool import use_memory_pool
from albert_keras.models.exporting import ExportableModel

_logger = logging.getLogger(__name__)


class PretrainedModel(ExportableModel):
    """A Keras model with `save_pretrained` and `from_pretrained`.

    A subclass lists in `arguments` the names of its arguments other than the
    backbone; each must be an attribute of the same name.

    Attributes:
        card: Fields of the model card that are saved with the model, see
            `albert_keras.conversion.model_card`.
    """

    arguments = ()

    def __init__(self, *args, **kwargs):
        use_memory_pool()  # before the first tensor of the weights
        super().__init__(*args, **kwargs)

    @property
    def card(self):
        return self.__dict__.setdefault("_card", {})

    def predict_step(self, *args):
        with fused_kernels():
            return super().predict_step(*args)

    def save_pretrained(self, directory, format="keras", tokenizer=None):
        """Writes the model to a directory atomically.

        Args:
            directory: Path. A pretrained directory that exists there is
                replaced.
            format: `"keras"` (this package's own), `"huggingface"`,
                `"keras_hub"` or `"google"`. A warning lists the weights and
                settings that a format cannot hold.
            tokenizer: An `AlbertTokenizer` to save with the model.

        Raises:
            ValueError: If the format is unknown or cannot hold the model, the
                tokenizer's vocabulary has another size, or the directory holds
                anything but a pretrained model.
        """
        write_pretrained(directory, self.to_parts(tokenizer), format)

    def write_pretrained(self, directory, tokenizer=None):
        """Adds the files of `save_pretrained` to an existing directory."""
        write_files(directory, self.to_parts(tokenizer), "keras")

    def to_parts(self, tokenizer=None):
        """Returns the model's configuration and weights as `PretrainedParts`.

        Args:
            tokenizer: An `AlbertTokenizer` to include, or None.
        """
        parts = PretrainedParts(
            model_class=type(self).__name__,
            config=self.config,
            weights={
                name: np.asarray(keras.ops.convert_to_numpy(variable))
                for name, variable in named_weights(self).items()
            },
            arguments={name: getattr(self, name) for name in self.arguments},
            card=dict(self.card),
        )
        if tokenizer is not None:
            parts.vocabulary = tokenizer.model_proto
            parts.tokenizer = tokenizer.settings()
        return parts

    @classmethod
    def from_pretrained(cls, source, dtype=None, **kwargs):
        """Loads a model with the weights of a pretrained one.

        Every model of this package loads from the directory of every other:
        it takes the weights that both have. Weights that the source lacks stay
        randomly initialized. One warning lists these, and the weights of the
        source that are not used.

        Args:
            source: A directory in one of four formats (this package's own,
                Hugging Face's, KerasHub's or Google's) or Google's `.tar.gz`;
                the output directory of a pretraining run, whose newest model
                is loaded; `hf://OWNER/NAME`; or the name of a KerasHub preset.
            dtype: Type policy of the model, such as "mixed_bfloat16".
            **kwargs: Fields of `AlbertConfig` to replace, such as
                `hidden_dropout`, and arguments of the class.

        Raises:
            ValueError: If the source is of an unknown kind or another
                architecture, cannot be reached, contains a damaged file, or
                its configuration, weights and vocabulary do not match.
        """
        with local_directory(source) as directory:
            parts = read_pretrained(directory)
        return cls.from_parts(parts, dtype=dtype, **kwargs)

    @classmethod
    def from_parts(cls, parts, dtype=None, **kwargs):
        """Creates a model from `PretrainedParts`, see `from_pretrained`."""
        fields = {field.name for field in dataclasses.fields(AlbertConfig)}
        replaced = {k: kwargs.pop(k) for k in list(kwargs) if k in fields}
        config = dataclasses.replace(parts.config, **replaced)
        arguments = {
            name: value
            for name, value in parts.arguments.items()
            if name in cls.arguments
        }
        if "num_classes" in kwargs:
            arguments.pop("class_names", None)  # the classes may differ
        model = cls.from_albert_config(
            config, dtype=dtype, **{**arguments, **kwargs}
        )
        model.card.update(parts.card)
        assign_weights(model, parts, replaceable=set(kwargs) | set(replaced))
        return model


def named_weights(model):
    """Returns the weights of a model by names that all instances share.

    A name is the variable's path without its first part, the name of the model
    that built it, which Keras numbers (`albert_backbone_1`). Names of the
    backbone's weights start with `backbone/`.
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


def assign_weights(model, parts, replaceable=()):
    """Assigns weights to a model by name, and warns of those without a match.

    Args:
        model: A `PretrainedModel`.
        parts: `PretrainedParts`.
        replaceable: Names of arguments that the caller replaced. If
            `num_classes` is among them, a classifier of another size stays
            randomly initialized.

    Raises:
        ValueError: If a shape differs. Nothing has been assigned then.
    """
    variables = named_weights(model)
    values, missing = {}, []
    for name, variable in variables.items():
        value = parts.weights.get(name)
        if value is None:
            missing.append(name)
        elif value.shape == tuple(variable.shape):
            values[name] = value
        elif name.startswith("classifier/") and "num_classes" in replaceable:
            missing.append(f"{name} {value.shape} as {tuple(variable.shape)}")
        else:
            raise ValueError(
                f"{parts.source} does not fit the model: {name} has shape "
                f"{value.shape} in the file and {tuple(variable.shape)} in "
                "the model."
            )
    for name, value in values.items():
        variables[name].assign(value)
    unused = [name for name in parts.weights if name not in variables]
    _warn(parts.source, missing, [*unused, *parts.left_over])


def _warn(source, missing, unused):
    clauses = []
    if missing:
        names = ", ".join(missing)
        clauses.append(f"no weights for {names}: randomly initialized")
    if unused:
        clauses.append(f"not used: {', '.join(unused)}")
    if clauses:
        _logger.warning("%s: %s.", source, "; ".join(clauses))
