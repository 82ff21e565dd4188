"""The head of fine-tuned models: dropout and one linear layer."""

import keras

from albert_keras.layers.initializers import albert_initializer


class ClassificationHead(keras.layers.Dense):
    """dropout(x) W + b, as in Google's fine-tuning.

    Args:
        units: Number of logits.
        dropout: Dropout rate of the inputs.
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        inputs: `(..., H)`.

    Returns:
        `(..., units)`.
    """

    def __init__(self, units, dropout=0.0, initializer_range=0.02, **kwargs):
        super().__init__(
            units,
            kernel_initializer=albert_initializer(initializer_range),
            **kwargs,
        )
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.dropout_layer = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def call(self, inputs, training=False):
        return super().call(self.dropout_layer(inputs, training=training))

    def get_config(self):
        return {
            **keras.layers.Layer.get_config(self),
            "units": self.units,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
        }
