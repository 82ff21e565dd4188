"""Objectives: losses as sums over targets, beside the weight of the targets.

A mean hides how many targets it was taken over. An objective keeps sum and
weight apart, so that micro-batches and ranks add up to exactly the loss of
the undivided batch: the sum of sums divided once by the sum of weights.
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
    """One thing a model is trained for.

    Attributes:
        name: Key of the sample weights; prefix of the metrics.
        output: Key of the model's output it reads, or several in a tuple.
        loss: `(labels, predictions) -> losses`, one float32 for each target.
            Gets tuples where `labels` or `output` are.
        metrics: Further functions of the same form, by name.
        coefficient: What its loss is multiplied by in the sum of losses.
        labels: Key of the labels, or several in a tuple; None is the name.
    """

    name: str
    output: str | tuple[str, ...]
    loss: Callable
    metrics: Mapping[str, Callable] = dataclasses.field(default_factory=dict)
    coefficient: float = 1.0
    labels: str | tuple[str, ...] | None = None

    @property
    def label_keys(self):
        """Keys of the labels: one, or a tuple."""
        return self.name if self.labels is None else self.labels


def pick(keys, values):
    """What a dictionary has under a key, or a tuple for a tuple of keys."""
    if isinstance(keys, tuple):
        return tuple(values[key] for key in keys)
    return values[keys]


def sparse_cross_entropy(labels, logits):
    """Cross entropy of class ids under logits, in float32.

    Args:
        labels: Integer ids `(...)`.
        logits: Unnormalized scores `(..., num_classes)`, of any float type.

    Returns:
        `log sum_j exp(logits_j) - logits_label`, shape `(...)`, in nats.
    """
    kernels = kernels_for_classes(logits.shape[-1])
    return kernels.sparse_cross_entropy(labels, logits)


def masked_language_modeling(name="mlm", output="mlm_logits"):
    """Predict the masked pieces (Devlin et al. 2018; ALBERT paper, 4.1).

    Labels are ids `(B, P)`; the sample weights `(B, P)` are 1 for a real
    prediction and 0 for an empty slot. Loss = sum(w CE) / sum(w); Google's
    1e-5 in the denominator is left out, so that accumulation is exact.
    """
    return Objective(
        name,
        output,
        sparse_cross_entropy,
        {"accuracy": sparse_accuracy},
    )


def sentence_order_prediction(name="sop", output="sop_logits"):
    """Tell whether two segments stand in order (ALBERT paper, 3.1).

    Labels `(B,)`: 0 in order, 1 swapped. Every row weighs 1.
    """
    return Objective(
        name,
        output,
        sparse_cross_entropy,
        {"accuracy": sparse_accuracy},
    )


def classification(name="label", output="logits"):
    """Tell the class of each target.

    Labels are class ids: `(B,)` of sequences or choices, `(B, T)` of tokens,
    with sample weights 0 where a token has none.
    """
    return Objective(
        name, output, sparse_cross_entropy, {"accuracy": sparse_accuracy}
    )


def regression(name="label", output="logits"):
    """Tell a number: squared error, labels `(B,)`, outputs `(B, 1)`."""
    return Objective(name, output, squared_error)


def squared_error(labels, predictions):
    """`(prediction - label)^2` in float32, `(B,)` for `(B, 1)`."""
    predictions = ops.cast(ops.squeeze(predictions, axis=-1), "float32")
    return ops.square(predictions - ops.cast(labels, "float32"))


def span_prediction(name="span"):
    """Tell where an answer starts and ends (Devlin et al. 2018, section 4.2).

    Labels `start` and `end`, positions `(B,)`. The loss is the mean of both
    cross entropies. `exact` is the share of spans that are wholly right,
    `f1` the overlap of the likeliest start and end with the span, in pieces.
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
    """Tell whether the text answers the question.

    Labels `(B,)`: 1 it does, 0 it does not. Half a cross entropy, as in
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
    """Cross entropy of labels 0 or 1 under one logit each, in float32."""
    logits = ops.cast(logits, "float32")
    # log(1 + exp(-z)) for the label 1 and log(1 + exp(z)) for 0.
    return ops.softplus(ops.where(ops.cast(labels, "bool"), -logits, logits))
