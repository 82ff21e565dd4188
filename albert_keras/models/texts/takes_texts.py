"""Lets `fit`, `evaluate` and `predict` take texts in place of ids."""

import functools
import inspect
from collections.abc import Mapping

import keras
import numpy as np

from albert_keras.models.texts.preprocessor import preprocessor_of
from albert_keras.tokenization.text_columns import text_columns


class TakesTexts(keras.Model):
    """A model whose `preprocessor` turns texts into its inputs.

    Dictionaries of ids, and datasets of them, are passed on unchanged. Texts
    are what `AlbertPreprocessor` takes, or a `tf.data.Dataset` of batches of
    strings, or of pairs `((first, second), labels)`.
    """

    def fit(self, *args, **kwargs):
        given = _bind(self, "fit", args, kwargs)
        validation = given.arguments.get("validation_data")
        if isinstance(validation, tuple | list) and validation:
            x, *rest = validation
            rest = map(_as_array, rest)
            given.arguments["validation_data"] = (self.inputs_of(x), *rest)
        elif validation is not None:
            given.arguments["validation_data"] = self.inputs_of(validation)
        return super().fit(*given.args[1:], **given.kwargs)

    def evaluate(self, *args, **kwargs):
        given = _bind(self, "evaluate", args, kwargs)
        return super().evaluate(*given.args[1:], **given.kwargs)

    def predict(self, *args, **kwargs):
        given = _bind(self, "predict", args, kwargs)
        return super().predict(*given.args[1:], **given.kwargs)

    def train_on_batch(self, *args, **kwargs):
        given = _bind(self, "train_on_batch", args, kwargs)
        return super().train_on_batch(*given.args[1:], **given.kwargs)

    def test_on_batch(self, *args, **kwargs):
        given = _bind(self, "test_on_batch", args, kwargs)
        return super().test_on_batch(*given.args[1:], **given.kwargs)

    def predict_on_batch(self, x):
        return super().predict_on_batch(self.inputs_of(x))

    def inputs_of(self, x):
        """Returns the model's inputs for texts, and anything else unchanged.

        Args:
            x: What Keras's methods take, or texts.

        Raises:
            ValueError: If there are texts and no preprocessor, or as for
                `AlbertPreprocessor`.
        """
        if isinstance(x, Mapping):
            return x
        if hasattr(x, "element_spec"):  # a tf.data.Dataset
            return self._encode_dataset(x)
        if (columns := self.text_columns(x)) is None:
            return x
        preprocessor_of(self)
        return self.inputs_of_columns(columns)

    def text_columns(self, x):
        """Reads texts: `(texts,)`, `(texts, pairs)`, or None."""
        return text_columns(x)

    def inputs_of_columns(self, columns):
        """Returns the model's inputs for `text_columns`."""
        preprocess = preprocessor_of(self)
        return preprocess(columns if len(columns) > 1 else columns[0])

    def _encode_dataset(self, dataset):
        # Imports TensorFlow, which has made the dataset.
        from albert_keras.tokenization.text_dataset import encode_dataset

        return encode_dataset(
            dataset,
            self.inputs_of,
            self.input_axes,
            self.config.max_sequence_length,
        )


def _bind(model, method, args, kwargs):
    """The arguments of a method of Keras, with ids in place of texts."""
    given = _signature(method).bind(model, *args, **kwargs)
    arguments = given.arguments
    if "x" in arguments:
        arguments["x"] = model.inputs_of(arguments["x"])
    for name in ("y", "sample_weight"):
        if name in arguments:
            arguments[name] = _as_array(arguments[name])
    return given


@functools.cache
def _signature(method):
    return inspect.signature(getattr(keras.Model, method))


def _as_array(labels):
    """A list of numbers, next to a list of texts, as an array."""
    return np.asarray(labels) if isinstance(labels, list) else labels
