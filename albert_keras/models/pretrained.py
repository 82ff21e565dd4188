"""Saves models to pretrained directories, and loads them."""

import dataclasses
from pathlib import Path

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
from albert_keras.conversion.keras_format import (
    VOCABULARY_FILE,
    read_tokenizer,
    write_tokenizer,
)
from albert_keras.conversion.weight_places import weights_by_place
from albert_keras.kernels import fused_kernels
from albert_keras.kernels.cpu_memory_pool import use_memory_pool
from albert_keras.models.exporting import ExportableModel
from albert_keras.models.low_rank_adaptation import (
    merge_low_rank_updates,
    train_low_rank_updates,
)
from albert_keras.models.quantization import (
    check_pretrained_format,
    quantize_layers,
)
from albert_keras.models.texts.preprocessor import (
    AlbertPreprocessor,
    as_preprocessor,
)
from albert_keras.models.weight_loading import BACKBONE, assign_weights


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
        if self.dtype_policy.quantization_mode is not None:
            raise ValueError(
                "`dtype` must be a type of floats, such as 'mixed_bfloat16'. "
                f"Received: {self.dtype_policy.name!r}. Call "
                '`model.quantize("int8")` once the model has its weights.'
            )

    @property
    def card(self):
        return self.__dict__.setdefault("_card", {})

    @property
    def preprocessor(self):
        """Turns texts into the model's inputs: an `AlbertPreprocessor`.

        Models that are loaded with a vocabulary have one, and so have models
        with heads whose backbone has one; others have None. With it `fit`,
        `evaluate` and `predict` take texts as well as ids. Set it to an
        `AlbertPreprocessor`, an `AlbertTokenizer`, or another function of the
        same form, such as a preprocessor of KerasHub.
        """
        # Not an attribute that Keras tracks as a part of the model's state.
        if "_preprocessor" in self.__dict__:
            return self.__dict__["_preprocessor"]
        return getattr(getattr(self, "backbone", None), "preprocessor", None)

    @preprocessor.setter
    def preprocessor(self, value):
        self.__dict__["_preprocessor"] = as_preprocessor(value, self)

    def predict_step(self, *args):
        with fused_kernels():
            return super().predict_step(*args)

    def default_lora_layer_names(self):
        """Names of the backbone's linear layers, which `enable_lora` adapts."""
        return [
            "query",
            "key",
            "value",
            "output",
            "intermediate",
            "feed_forward_output",
            "projection",
            "pooler",
        ]

    def enable_lora(self, rank, target_layer_names=None, lora_alpha=None):
        """Freezes the backbone and trains updates of low rank instead: LoRA.

        As for KerasHub's backbones (Hu et al. 2021, arXiv:2106.09685). Heads
        stay trainable. Call it before `compile`. Checkpoints of a run keep the
        updates; `save` and `save_pretrained` add them to the weights, so that
        the saved model is one without LoRA. As in Keras, the sum with an int8
        weight is rounded to int8 again.

        Args:
            rank: Rank of the updates.
            target_layer_names: Names of the layers to adapt; None is
                `default_lora_layer_names()`, all linear layers. The paper
                adapts "query" and "value".
            lora_alpha: The updates are multiplied by `lora_alpha / rank`.
                None is `rank`.

        Raises:
            ValueError: If `rank` is not a positive integer, a name is unknown
                or LoRA is enabled already.
        """
        if target_layer_names is None:
            target_layer_names = self.default_lora_layer_names()
        train_low_rank_updates(
            getattr(self, "backbone", self),
            rank,
            target_layer_names,
            lora_alpha,
        )

    def quantize(self, mode=None, config=None, **kwargs):
        """Quantizes linear layers to int8, as `keras.Model.quantize`.

        Attention and feed-forward layers store int8 and compute in floats; the
        other layers are Keras's, which quantize their inputs as well. Tables,
        biases, layer normalization and classifiers stay floats.

        Raises:
            ValueError: If the mode is not "int8".
        """
        if mode != "int8":
            raise ValueError(
                "ALBERT's layers are quantized to 'int8' only. Received: "
                f'mode={mode!r}. Pass `mode="int8"`.'
            )
        super().quantize(mode, config=config, **kwargs)

    def save_pretrained(self, directory, format="keras", tokenizer=None):
        """Writes the model to a directory atomically.

        Args:
            directory: Path. A pretrained directory that exists there is
                replaced.
            format: `"keras"` (this package's own), `"huggingface"`,
                `"keras_hub"` or `"google"`. A warning lists the weights and
                settings that a format cannot hold.
            tokenizer: An `AlbertTokenizer` to save with the model; None is
                that of its preprocessor, if it has one.

        Raises:
            ValueError: If the format is unknown or cannot hold the model, the
                tokenizer's vocabulary has another size, two weights have the
                same name, or the directory holds anything but a pretrained
                model.
        """
        parts = self.to_parts(tokenizer or self._own_tokenizer())
        write_pretrained(directory, parts, format)

    def write_pretrained(self, directory, tokenizer=None):
        """Adds the files of `save_pretrained` to an existing directory."""
        parts = self.to_parts(tokenizer or self._own_tokenizer())
        write_files(directory, parts, "keras")

    def _own_tokenizer(self):
        return getattr(self.preprocessor, "tokenizer", None)

    # === Keras's files: the vocabulary is an asset ===

    def save_assets(self, directory):
        preprocessor = self.__dict__.get("_preprocessor")
        if isinstance(preprocessor, AlbertPreprocessor):
            tokenizer = preprocessor.tokenizer
            settings = tokenizer.settings()
            write_tokenizer(Path(directory), tokenizer.model_proto, settings)

    def load_assets(self, directory):
        # None if the file has no assets of this model.
        if directory and (Path(directory) / VOCABULARY_FILE).is_file():
            self._set_vocabulary(**read_tokenizer(Path(directory)))

    def _set_vocabulary(self, vocabulary, tokenizer):
        self.__dict__["_preprocessor"] = AlbertPreprocessor.from_vocabulary(
            vocabulary, tokenizer, self.config.max_sequence_length
        )

    def to_parts(self, tokenizer=None):
        """Returns the model's configuration and weights as `PretrainedParts`.

        The updates of LoRA are added to the weights.

        Args:
            tokenizer: An `AlbertTokenizer` to include, or None.
        """
        check_pretrained_format(self)
        arrays = {
            name: np.asarray(keras.ops.convert_to_numpy(variable))
            for name, variable in weights_by_place(self, BACKBONE).items()
        }
        parts = PretrainedParts(
            model_class=type(self).__name__,
            config=self.config,
            weights=merge_low_rank_updates(self, arrays),
            arguments={name: getattr(self, name) for name in self.arguments},
            card=dict(self.card),
        )
        if tokenizer is not None:
            parts.vocabulary = tokenizer.model_proto
            parts.tokenizer = tokenizer.settings()
        return parts

    @classmethod
    def from_pretrained(cls, source, dtype=None, strict=True, **kwargs):
        """Loads a model with the weights of a pretrained one.

        Every model of this package loads from the directory of every other:
        it takes the backbone and the heads that both have. A head that the
        source lacks stays randomly initialized. One warning lists its weights,
        and those of the source that are not used.

        Args:
            source: A directory in one of four formats (this package's own,
                Hugging Face's, KerasHub's or Google's) or Google's `.tar.gz`;
                the output directory of a pretraining run, whose newest model
                is loaded; `hf://OWNER/NAME`; or the name of a KerasHub preset.
            dtype: Type policy of the model, such as "mixed_bfloat16"; None is
                Keras's, usually "float32", to which float64 weights are
                rounded.
            strict: Whether to raise if the source lacks weights of the
                backbone or some of a head's, or has other ones of the
                backbone. False lets the model keep random weights.
            **kwargs: Fields of `AlbertConfig` to replace, such as
                `hidden_dropout`, and arguments of the class.

        Raises:
            ValueError: If the source is of an unknown kind or another
                architecture, cannot be reached, contains a damaged file, or
                its configuration, weights and vocabulary do not match, or see
                `strict`.
        """
        with local_directory(source) as directory:
            parts = read_pretrained(directory)
        return cls.from_parts(parts, dtype=dtype, strict=strict, **kwargs)

    @classmethod
    def from_parts(cls, parts, dtype=None, strict=True, **kwargs):
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
            for name in ("class_names", "problem", "thresholds"):
                arguments.pop(name, None)  # the classes may differ
        if "problem" in kwargs:
            arguments.pop("thresholds", None)
        model = cls.from_albert_config(
            config, dtype=dtype, **{**arguments, **kwargs}
        )
        model.card.update(parts.card)
        # Not of a source whose embeddings were replaced by others.
        if parts.vocabulary and "vocabulary_size" not in replaced:
            model._set_vocabulary(parts.vocabulary, parts.tokenizer)
        quantize_layers(
            model, {name: {"mode": "int8"} for name in parts.quantized_layers}
        )
        assign_weights(model, parts, {*kwargs, *replaced}, strict)
        return model
