"""Models that are saved to, and loaded from, pretrained directories."""

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

_logger = logging.getLogger(__name__)


class PretrainedModel(keras.Model):
    """A Keras model with `save_pretrained` and `from_pretrained`.

    Subclasses name in `arguments` the arguments of their class beside the
    backbone, which are attributes of the same name.

    Attributes:
        card: Fields of the model card that go along with the model, see
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
        with self.kernels():
            return super().predict_step(*args)

    def kernels(self):
        """The context in which Keras's loops trace the model."""
        return fused_kernels()

    def save_pretrained(self, directory, format="keras", tokenizer=None):
        """Writes the model to a directory, whole or not at all.

        Args:
            directory: Path; an earlier pretrained directory there is
                replaced.
            format: `"keras"`, this package's own, `"huggingface"`,
                `"keras_hub"` or `"google"`. What a format has no place for
                is named in a warning.
            tokenizer: An `AlbertTokenizer` to save along.

        Raises:
            ValueError: If the format is unknown or cannot hold the model, the
                tokenizer is of another size, or the directory holds something
                other than a pretrained model.
        """
        write_pretrained(directory, self.to_parts(tokenizer), format)

    def write_pretrained(self, directory, tokenizer=None):
        """Adds the files of `save_pretrained` to an existing directory."""
        write_files(directory, self.to_parts(tokenizer), "keras")

    def to_parts(self, tokenizer=None):
        """The model's values as `PretrainedParts`."""
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

        Any of the package's models loads from any other's directory: what
        both have is taken over. Weights that the source lacks keep their
        random start; they, and what the source has beside, are named in one
        warning.

        Args:
            source: A directory in any of four formats: this package's own,
                Hugging Face's, KerasHub's or Google's, or Google's `.tar.gz`;
                the output directory of a pretraining run, of which the
                newest model is taken; `hf://OWNER/NAME`; or the name of a
                KerasHub preset.
            dtype: Type policy of the model, such as "mixed_bfloat16".
            **kwargs: Fields of `AlbertConfig` to replace, such as
                `hidden_dropout`, and arguments of the class.

        Raises:
            ValueError: If the source is of no known kind or of another
                architecture, cannot be reached, a file is damaged, or
                configuration, weights and vocabulary do not agree.
        """
        with local_directory(source) as directory:
            parts = read_pretrained(directory)
        return cls.from_parts(parts, dtype=dtype, **kwargs)

    @classmethod
    def from_parts(cls, parts, dtype=None, **kwargs):
        """The model of `PretrainedParts`; arguments as `from_pretrained`."""
        fields = {field.name for field in dataclasses.fields(AlbertConfig)}
        replaced = {k: kwargs.pop(k) for k in list(kwargs) if k in fields}
        config = dataclasses.replace(parts.config, **replaced)
        arguments = {
            name: value
            for name, value in parts.arguments.items()
            if name in cls.arguments
        }
        if "num_classes" in kwargs:
            arguments.pop("class_names", None)  # they may be other classes
        model = cls.from_albert_config(
            config, dtype=dtype, **{**arguments, **kwargs}
        )
        model.card.update(parts.card)
        assign_weights(model, parts, replaceable=set(kwargs) | set(replaced))
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


def assign_weights(model, parts, replaceable=()):
    """Assigns weights to a model by name, and reports what is left.

    Args:
        model: A `PretrainedModel`.
        parts: `PretrainedParts`.
        replaceable: Arguments that the caller chose. With `num_classes`
            among them, a classifier of another number keeps its random start.

    Raises:
        ValueError: If a shape differs; nothing is assigned then.
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
    _report(parts.source, missing, [*unused, *parts.left_over])


def _report(source, missing, unused):
    sentences = []
    if missing:
        sentences.append(f"no weights for {', '.join(missing)}: random start")
    if unused:
        sentences.append(f"not used: {', '.join(unused)}")
    if sentences:
        _logger.warning("%s: %s.", source, "; ".join(sentences))
