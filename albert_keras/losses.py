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

# Class id of targets without a label, as in PyTorch and Hugging Face: their
# weight is 0 in losses and metrics. -1 and other ids out of range are errors.
IGNORED_LABEL = -100


@dataclasses.dataclass(frozen=True)
class Objective:
    """A loss and metrics on some outputs of a model.

    Attributes:
        name: Key of the sample weights; prefix of the metrics.
        output: Key of the model's output, or a tuple of keys.
        loss: `(labels, predictions) -> losses`, one float32 for each target.
            It receives tuples if `labels` or `output` are tuples. For a tuple
            of labels it may return a tuple of losses, one for each: each has
            the weights of its own label, and their mean counts.
        metrics: Further functions of the same form, by name.
        coefficient: Factor of this loss in the sum of losses.
        labels: Key of the labels, or a tuple of keys; None is `name`.
        target_rank: Number of axes of the targets: 1 for one target per row,
            2 for one per token; None accepts labels of any shape. Labels and
            weights with one more axis, of length one, are squeezed.
        class_ids: Whether labels are class ids: whole numbers, of which
            `IGNORED_LABEL` has no weight.
        each_class: Whether each class of a row is a target, with a label 0 or
            1 (`target_rank` 2). NaN is then `IGNORED_LABEL`.
    """

    name: str
    output: str | tuple[str, ...]
    loss: Callable
    metrics: Mapping[str, Callable] = dataclasses.field(default_factory=dict)
    coefficient: float = 1.0
    labels: str | tuple[str, ...] | None = None
    target_rank: int | None = None
    class_ids: bool = False
    each_class: bool = False

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
        `log sum_j exp(logits_j) - logits_label`, float32 `(...)`, in nats. For
        a label out of range TensorFlow raises an error on a CPU. Elsewhere
        the loss is NaN, which `StopOnNonFinite` reports: code compiled for a
        device cannot raise errors.
    """
    kernels = kernels_for_classes(logits.shape[-1], logits.dtype)
    losses = kernels.sparse_cross_entropy(labels, logits)
    return nan_out_of_range(losses, labels, ops.shape(logits)[-1])


def nan_out_of_range(losses, labels, num_classes):
    """Replaces the losses of labels that are not from 0 to num_classes - 1."""
    in_range = ops.logical_and(labels >= 0, labels < num_classes)
    return ops.where(in_range, losses, float("nan"))


def masked_language_modeling(name="mlm", output="mlm_logits"):
    """Predict the masked tokens (Devlin et al. 2018; ALBERT paper, 4.1).

    Labels are ids `(B, P)`; sample weights `(B, P)` are 1 for a masked token
    and 0 for an empty slot. Loss = sum(w CE) / sum(w). Google adds 1e-5 to the
    denominator; without it, accumulation over micro-batches is exact.
    """
    return classification(name, output, target_rank=2)


def sentence_order_prediction(name="sop", output="sop_logits"):
    """Predict whether two segments are in order (ALBERT paper, 3.1).

    Labels `(B,)`: 0 in order, 1 swapped. Every row has weight 1.
    """
    return classification(name, output)


def classification(name="label", output="logits", target_rank=1):
    """Predict the class of each target.

    Labels are class ids, `(B,)` for sequences or choices and `(B, T)` for
    tokens; targets without a label have `IGNORED_LABEL` or the weight 0.

    Args:
        name, output, target_rank: As for `Objective`.
    """
    return Objective(
        name,
        output,
        sparse_cross_entropy,
        {"accuracy": sparse_accuracy},
        target_rank=target_rank,
        class_ids=True,
    )


def multi_label_classification(name="label", output="logits"):
    """Predict for each class whether it applies.

    Labels are 0 or 1, `(B, C)` as the logits; unknown ones are
    `IGNORED_LABEL` or NaN. The loss is the binary cross entropy of a class:
    with all labels known, its mean over the classes is a row's loss, weighted
    by the row's sample weight. `accuracy` is the share of right decisions at
    a probability of 0.5.
    """
    return Objective(
        name,
        output,
        binary_cross_entropy,
        {"accuracy": binary_accuracy},
        target_rank=2,
        class_ids=True,
        each_class=True,
    )


def regression(name="label", output="logits"):
    """Predict a number: squared error, labels `(B,)`, outputs `(B, 1)`."""
    return Objective(name, output, squared_error, target_rank=1)


def squared_error(labels, predictions):
    """`(prediction - label)^2` in float32, `(B,)` for `(B, 1)`."""
    predictions = ops.cast(ops.squeeze(predictions, axis=-1), "float32")
    return ops.square(predictions - ops.cast(labels, "float32"))


def span_prediction(name="span"):
    """Predict start and end of an answer (Devlin et al. 2018, section 4.2).

    Labels `start` and `end`, positions `(B,)`. The loss is the mean of their
    cross entropies, each with its own weights. `exact` is the fraction of
    spans with both positions right, and `f1` the overlap of the most likely
    start and end with the span, in tokens.
    """
    return Objective(
        name,
        ("start_logits", "end_logits"),
        span_cross_entropy,
        {"exact": span_exact, "f1": span_f1},
        labels=("start", "end"),
        target_rank=1,
        class_ids=True,
    )


def span_cross_entropy(labels, logits):
    """Cross entropies of start and end, a pair of `(B,)`, in nats."""
    return tuple(
        sparse_cross_entropy(*pair) for pair in zip(labels, logits, strict=True)
    )


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
        target_rank=1,
        class_ids=True,
    )


def binary_cross_entropy(labels, logits):
    """Cross entropy of labels 0 or 1 under one logit each.

    Args:
        labels: 0 or 1, `(...)`.
        logits: `(...)`, of any float type.

    Returns:
        float32 `(...)`, in nats; NaN for any other label.
    """
    logits = ops.cast(logits, "float32")
    # log(1 + exp(-z)) for the label 1 and log(1 + exp(z)) for 0.
    losses = ops.softplus(ops.where(ops.cast(labels, "bool"), -logits, logits))
    return nan_out_of_range(losses, labels, num_classes=2)
