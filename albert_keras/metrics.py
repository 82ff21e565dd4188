"""Metrics as one value for each target, averaged by the targets' weights."""

import keras
from keras import ops

from albert_keras.kernels import kernels_for_classes


def sparse_accuracy(labels, logits):
    """1.0 where the highest logit is the label's, else 0.0.

    Args:
        labels: Integer ids `(...)`.
        logits: Scores `(..., num_classes)`.

    Returns:
        float32 `(...)`.
    """
    kernels = kernels_for_classes(logits.shape[-1])
    return kernels.sparse_accuracy(labels, logits)


def binary_accuracy(labels, logits):
    """1.0 where the sign of the logit `(B,)` is that of the label, else 0."""
    predictions = ops.cast(logits > 0, "float32")
    return ops.cast(
        ops.equal(predictions, ops.cast(labels, "float32")), "float32"
    )


def span_exact(labels, logits):
    """1.0 where the likeliest start and end are both right, else 0.0.

    Args:
        labels: Positions of start and end, two tensors `(B,)`.
        logits: Scores of start and end, two tensors `(B, T)`.

    Returns:
        float32 `(B,)`.
    """
    start, end = (
        sparse_accuracy(*pair) for pair in zip(labels, logits, strict=True)
    )
    return start * end


def span_f1(labels, logits):
    """F1 of the pieces of the likeliest span, see `span_exact`, `(B,)`.

    2 (pieces in common) / (pieces of both together). A span that ends before
    it starts has no piece.
    """
    first, last = (ops.cast(label, "float32") for label in labels)
    start, end = (
        ops.cast(ops.argmax(score, axis=-1), "float32") for score in logits
    )
    common = ops.minimum(last, end) - ops.maximum(first, start) + 1
    both = (last - first + 1) + ops.maximum(end - start + 1, 0)
    return 2 * ops.maximum(common, 0) / both


class LastValue(keras.metrics.Metric):
    """The most recent value, for what has no meaningful average."""

    def __init__(self, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.value = self.add_variable((), initializer="zeros", name="value")

    def update_state(self, value):
        self.value.assign(ops.cast(value, self.dtype))

    def result(self):
        # Not the variable: Keras reads the logs of an epoch after the
        # validation, which resets the metrics.
        return ops.copy(self.value)
