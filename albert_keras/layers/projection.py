"""A linear layer whose parameters a block passes to its kernels."""

import keras
from keras import ops

from albert_keras.layers.initializers import albert_initializer


class Projection(keras.layers.Layer):
    """x W + b, like `keras.layers.Dense`, without autocasting its variables.

    ALBERT's layers share the variables, and the encoder casts them once for
    all layers (`TransformerBlock.weights_for`).

    Args:
        units: Width of the output.
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        inputs: `(..., H)`.

    Returns:
        `(..., units)`, in the compute type.
    """

    def __init__(self, units, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.initializer_range = initializer_range

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=albert_initializer(self.initializer_range),
            autocast=False,
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.units,),
            initializer="zeros",
            autocast=False,
            name="bias",
        )

    def call(self, inputs):
        kernel = ops.cast(self.kernel, self.compute_dtype)
        return ops.matmul(inputs, kernel) + ops.cast(
            self.bias, self.compute_dtype
        )

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "initializer_range": self.initializer_range,
        }
