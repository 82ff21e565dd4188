"""The base class of ALBERT models with heads."""

import keras

from albert_keras.layers.classification_head import ClassificationHead
from albert_keras.models.backbone import AlbertBackbone
from albert_keras.models.kept_variables import KeepsVariables
from albert_keras.models.pretrained import PretrainedModel
from albert_keras.models.quantization import (
    QUANTIZED_LAYERS,
    quantization_config,
    quantize_layers,
)
from albert_keras.models.texts.takes_texts import TakesTexts
from albert_keras.training.steps.accumulating_model import AccumulatingModel


class AlbertTask(
    TakesTexts, KeepsVariables, AccumulatingModel, PretrainedModel
):
    """A backbone with heads, trained on objectives.

    A subclass lists its `objectives`, creates and builds its heads in
    `add_heads(config)`, and connects them in `call`. It lists the names of its
    own arguments in `arguments` and passes them to this class by keyword,
    which sets attributes of the same names. `input_axes` lists its inputs, as
    for the backbone; `call` begins with `select_inputs(self, inputs)`.

    Args:
        backbone: An `AlbertBackbone`; the heads compute in its type.
        name, trainable: As for every Keras model.
        **kwargs: The subclass's arguments, and further ones of `keras.Model`.
    """

    input_axes = AlbertBackbone.input_axes

    def __init__(self, backbone, name=None, trainable=True, **kwargs):
        own = {key: kwargs.pop(key) for key in self.arguments}
        kwargs.setdefault("dtype", backbone.dtype_policy)
        super().__init__(name=name, trainable=trainable, **kwargs)
        for key, value in own.items():
            setattr(self, key, value)
        self.backbone = backbone
        self.build(self.input_shapes())

    def build(self, input_shape=None):
        self.add_heads(self.backbone.config)

    def add_heads(self, config):
        """Creates and builds the heads for an `AlbertConfig`."""
        raise NotImplementedError

    def make_head(self, name, units, dropout=None):
        """Returns a built `ClassificationHead`.

        Args:
            name: Name of the layer.
            units: Number of logits.
            dropout: Dropout rate; None uses the `dropout` of the model.
        """
        head = ClassificationHead(
            units,
            dropout=self.dropout if dropout is None else dropout,
            initializer_range=self.config.initializer_range,
            dtype=self.dtype_policy,
            name=name,
        )
        head.build((None, self.config.hidden_dim))
        return head

    def output_specs(self):
        shapes = self.input_shapes().items()
        return self.compute_output_spec(
            {
                name: keras.KerasTensor((2,) * len(shape), "int32")
                for name, shape in shapes
            }
        )

    @property
    def config(self):
        """The `AlbertConfig` of the backbone."""
        return self.backbone.config

    @classmethod
    def from_albert_config(cls, config, dtype=None, **kwargs):
        """Creates a model with random weights from an `AlbertConfig`.

        Args:
            config: An `AlbertConfig`.
            dtype: Type policy of the model, such as "mixed_bfloat16".
            **kwargs: Arguments of the class.
        """
        backbone = AlbertBackbone.from_albert_config(config, dtype=dtype)
        return cls(backbone, **kwargs)

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            **{name: getattr(self, name) for name in self.arguments},
            **quantization_config(self),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        quantized = config.pop(QUANTIZED_LAYERS, {})
        backbone = keras.saving.deserialize_keras_object(
            config.pop("backbone"), custom_objects=custom_objects
        )
        model = cls(backbone, **config)
        quantize_layers(model, quantized)
        return model
