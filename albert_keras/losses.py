"""Objectives: losses that are summed over targets separately from weights.

A mean does not show how many targets it is over. An objective keeps the sum of
losses and the sum of weights apart. Their sums over micro-batches and ranks,
divided once, are exactly the loss of the undivided batch.
"""

import dataclasses
from collections.abc import Callable, Mapping

from keras import ops

from albert_keras.kernels import kernels_for_classes
from albert_keras.metrics import (
    binary_accuracy,
    span_exact,
    span_f1,
    sparse_accuracy,
)


@dataclasses.dataclass(frozen=True)
class Objective:
    """A loss and metrics on some outputs of a model.

    Attributes:
        name: Key of the sample weights; prefix of the metrics.
        output: Key of the model's output, or a tuple of keys.
        loss: `(labels, predictions) -> losses`, one float32 for each target.
            It receives tuples if `labels` or `output` are tuples.
        metrics: Further functions of the same form, by name.
        coefficient: Factor of this loss in the sum of losses.
        labels: Key of the labels, or a tuple of keys; None is `name`.
    """

    name: str
    output: str | tuple[str, ...]
    loss: Callable
    metrics: Mapping[str, Callable] = dataclasses.field(default_factory=dict)
    coefficient: float = 1.0
    labels: str | tuple[str, ...] | None = None

    @property
    def label_keys(self):
        """The key of the labels, or a tuple of keys."""
        return self.name if self.labels is None else self.labels


def pick(keys, values):
    """Returns a dictionary's value, or a tuple of values for several keys."""
    if isinstance(keys, tuple):
        return tuple(values[key] for key in keys)
    return values[keys]


def sparse_cross_entropy(labels, logits):
    """Cross entropy of class ids under logits, computed in float32.

    Args:
        labels: Integer ids `(...)`.
        logits: Unnormalized scores `(..., num_classes)` of any float type.

    Returns:
        `log sum_j exp(logits_j) - logits_label`, float32 `(...)`, in nats.
    """
    kernels = kernels_for_classes(logits.shape[-1])
    return kernels.sparse_cross_entropy(labels, logits)


def masked_language_modeling(name="mlm", output="mlm_logits"):
    """Predict the masked tokens (Devlin et al. 2018; ALBERT paper, 4.1).

    Labels are ids `(B, P)`; sample weights `(B, P)` are 1 for a masked token
    and 0 for an empty slot. Loss = sum(w CE) / sum(w). Google adds 1e-5 to the
    denominator; without it, accumulation over micro-batches is exact.
    """
    return Objective(
        name,
        output,
        sparse_cross_entropy,
        {"accuracy": sparse_accuracy},
    )


def sentence_order_prediction(name="sop", output="sop_logits"):
    """Predict whether two segments are in order (ALBERT paper, 3.1).

    Labels `(B,)`: 0 in order, 1 swapped. Every row has weight 1.
    """
    return Objective(
        name,
        output,
        sparse_cross_entropy,
        {"accuracy": sparse_accuracy},
    )


def classification(name="label", output="logits"):
    """Predict the class of each target.

    Labels are class ids, `(B,)` for sequences or choices and `(B, T)` for
    tokens; sample weights are 0 for tokens without a label.
    """
    return Objective(
        name, output, sparse_cross_entropy, {"accuracy": sparse_accuracy}
    )


def regression(name="label", output="logits"):
    """Predict a number: squared error, labels `(B,)`, outputs `(B, 1)`."""
    return Objective(name, output, squared_error)


def squared_error(labels, predictions):
    """`(prediction - label)^2` in float32, `(B,)` for `(B, 1)`."""
    predictions = ops.cast(ops.squeeze(predictions, axis=-1), "float32")
    return ops.square(predictions - ops.cast(labels, "float32"))


def span_prediction(name="span"):
    """Predict start and end of an answer (Devlin et al. 2018, section 4.2).

    Labels `start` and `end`, positions `(B,)`. The loss is the mean of their
    cross entropies. `exact` is the fraction of spans with both positions
    right, and `f1` the overlap of the most likely start and end with the span,
    in tokens.
    """
    return Objective(
        name,
        ("start_logits", "end_logits"),
        span_cross_entropy,
        {"exact": span_exact, "f1": span_f1},
        labels=("start", "end"),
    )


def span_cross_entropy(labels, logits):
    """Mean of the cross entropies of start and end, `(B,)`, in nats."""
    start, end = (
        sparse_cross_entropy(*pair) for pair in zip(labels, logits, strict=True)
    )
    return 0.5 * (start + end)


def answerability(name="answerable", output="answerable_logits"):
    """Predict whether the text answers the question.

    Labels `(B,)`: 1 if it does, 0 if not. The coefficient is 0.5, as in
    Google's release for SQuAD 2.0.
    """
    return Objective(
        name,
        output,
        binary_cross_entropy,
        {"accuracy": binary_accuracy},
        coefficient=0.5,
    )


def binary_cross_entropy(labels, logits):
    """Cross entropy of labels 0 or 1 under one logit each.

    Args:
        labels: 0 or 1, `(B,)`.
        logits: `(B,)`, of any float type.

    Returns:
        float32 `(B,)`, in nats.
    """
    logits = ops.cast(logits, "float32")
    # log(1 + exp(-z)) for the label 1 and log(1 + exp(z)) for 0.
    return ops.softplus(ops.where(ops.cast(labels, "bool"), -logits, logits))
