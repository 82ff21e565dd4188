"""Metrics as one value for each target, averaged by the targets' weights."""

import keras
from keras import ops


def sparse_accuracy(labels, logits):
    """1.0 where the highest logit is the label's, else 0.0.

    Args:
        labels: Integer ids `(...)`.
        logits: Scores `(..., num_classes)`.

    Returns:
        float32 `(...)`.
    """
    predictions = ops.argmax(logits, axis=-1)
    return ops.cast(
        ops.equal(predictions, ops.cast(labels, predictions.dtype)), "float32"
    )


class LastValue(keras.metrics.Metric):
    """The most recent value, for what has no meaningful average."""

    def __init__(self, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.value = self.add_variable((), initializer="zeros", name="value")

    def update_state(self, value):
        self.value.assign(ops.cast(value, self.dtype))

    def result(self):
        return ops.convert_to_tensor(self.value)
