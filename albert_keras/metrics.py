"""Metrics with one value per target, averaged by the targets' weights."""

import keras
from keras import ops

from albert_keras.kernels import kernels_for_classes


def sparse_accuracy(labels, logits):
    """1.0 if the highest logit is the label's, else 0.0.

    Args:
        labels: Integer ids `(...)`.
        logits: Scores `(..., num_classes)`.

    Returns:
        float32 `(...)`.
    """
    kernels = kernels_for_classes(logits.shape[-1], logits.dtype)
    return kernels.sparse_accuracy(labels, logits)


def binary_accuracy(labels, logits):
    """1.0 if logit > 0 agrees with the label, else 0.0.

    Args:
        labels: 0 or 1, `(...)`.
        logits: `(...)`.

    Returns:
        float32 `(...)`.
    """
    predictions = ops.cast(logits > 0, "float32")
    return ops.cast(
        ops.equal(predictions, ops.cast(labels, "float32")), "float32"
    )


def span_exact(labels, logits):
    """1.0 if the most likely start and end are both right, else 0.0.

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
    """F1 of the tokens of the most likely span; arguments as `span_exact`.

    2 (tokens in common) / (tokens of both spans). A span that ends before it
    starts has no tokens.

    Returns:
        float32 `(B,)`.
    """
    first, last = (ops.cast(label, "float32") for label in labels)
    start, end = (
        ops.cast(ops.argmax(score, axis=-1), "float32") for score in logits
    )
    common = ops.minimum(last, end) - ops.maximum(first, start) + 1
    both = (last - first + 1) + ops.maximum(end - start + 1, 0)
    return 2 * ops.maximum(common, 0) / both


class LastValue(keras.metrics.Metric):
    """A metric that reports its most recent value instead of an average."""

    def __init__(self, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.value = self.add_variable(
            (),
            initializer="zeros",
            dtype=self.dtype,
            aggregation="only_first_replica",
            name="value",
        )

    def update_state(self, value):
        self.value.assign(ops.cast(value, self.dtype))

    def result(self):
        # A copy: Keras reads the logs of an epoch after validation, which
        # resets the metrics.
        return ops.copy(self.value)
