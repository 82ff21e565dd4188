"""Lets Keras load saved models of this package before its classes are imported.

`keras.saving.load_model` looks classes up in Keras's registry, which a class
enters when its module is imported. The package imports its modules at first
use, so that until then a stand-in is registered in place of each class.
"""

import importlib

import wrapt

# What `register_keras_serializable` marks, and where it is.
CLASSES = {
    "AdamW": "optimizers.adamw",
    "AlbertBackbone": "models.backbone",
    "AlbertForMaskedLM": "models.masked_lm",
    "AlbertForMultipleChoice": "models.multiple_choice",
    "AlbertForPretraining": "models.pretraining",
    "AlbertForQuestionAnswering": "models.question_answering",
    "AlbertForSequenceClassification": "models.sequence_classification",
    "AlbertForTokenClassification": "models.token_classification",
    "FocalCrossEntropy": "focal_cross_entropy",
    "Lamb": "optimizers.lamb",
    "LayerWiseAdamW": "optimizers.layer_wise_decay",
    "WarmupPolynomialDecay": "optimizers.warmup_polynomial_decay",
}


class ClassToImport:
    """Stands in for a class until Keras makes an object of it.

    Args:
        name: Name of the class.
        module: Name of its module within `albert_keras`.
    """

    def __init__(self, name, module):
        self._name = name
        self._module = module

    def from_config(self, config):
        """The class's own `from_config`; importing it replaces this object."""
        module = importlib.import_module(f"albert_keras.{self._module}")
        return getattr(module, self._name).from_config(config)


def register_when_keras_is_imported():
    """Registers the stand-ins, now or when Keras is imported."""

    @wrapt.when_imported("keras")
    def register(keras):
        registry = keras.saving.get_custom_objects()
        for name, module in CLASSES.items():
            registry.setdefault(
                f"albert_keras>{name}", ClassToImport(name, module)
            )
