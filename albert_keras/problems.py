"""The problems that a sequence classifier solves, and what its logits predict.

NumPy only: models, formats and evaluations share these rules.
"""

import math
from collections.abc import Sequence

import numpy as np

SINGLE_LABEL = "single_label"  # one class for each text
MULTI_LABEL = "multi_label"  # any number of classes for each text
REGRESSION = "regression"  # a number for each text
PROBLEMS = (SINGLE_LABEL, MULTI_LABEL, REGRESSION)
DEFAULT_THRESHOLD = 0.5


def default_problem(num_classes: int) -> str:
    """The problem of models that name none: one class is regression."""
    return REGRESSION if num_classes == 1 else SINGLE_LABEL


def check_problem(
    problem: str | None,
    num_classes: int,
    thresholds: Sequence[float] | None = None,
) -> None:
    """Raises a `ValueError` if a problem does not fit the other arguments.

    Args:
        problem: One of `PROBLEMS`, or None for the default.
        num_classes: Number of logits.
        thresholds: None, or for "multi_label" one probability for each class.
    """
    if problem is not None and problem not in PROBLEMS:
        raise ValueError(
            f"`problem` must be one of {PROBLEMS} or None. Received: "
            f"{problem!r}."
        )
    if problem is not None and problem != MULTI_LABEL:
        if problem != default_problem(num_classes):
            raise ValueError(
                "A regression has `num_classes=1`, and `single_label` at least "
                f"2. Received: problem={problem!r}, num_classes={num_classes}."
            )
    if thresholds is None:
        return
    if problem != MULTI_LABEL:
        raise ValueError(
            "`thresholds` are for `problem='multi_label'`. Received: "
            f"thresholds={thresholds!r:.80}, problem={problem!r}."
        )
    if (
        not isinstance(thresholds, (list, tuple, np.ndarray))
        or len(thresholds) != num_classes
        or not all(map(_is_probability, thresholds))
    ):
        raise ValueError(
            f"`thresholds` must be {num_classes} numbers from 0 to 1, one for "
            f"each class. Received: {thresholds!r:.80}."
        )


def decode_logits(
    logits: np.ndarray,
    problem: str,
    thresholds: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Turns logits into predictions and probabilities, in float64.

    Args:
        logits: `(N, num_classes)`.
        problem: One of `PROBLEMS`.
        thresholds: For "multi_label", the probability of each class above
            which it is predicted; None is 0.5 for all.

    Returns:
        (predictions, probabilities). For "single_label" class ids int64
        `(N,)` and the softmax `(N, num_classes)`; for "multi_label" booleans
        and the sigmoid, both `(N, num_classes)`; for "regression" numbers
        `(N,)` and None.
    """
    logits = np.asarray(logits, "float64")
    if problem == REGRESSION:
        return logits[:, 0], None
    if problem == SINGLE_LABEL:
        return logits.argmax(axis=-1), softmax(logits)
    # exp of a negative number only, which cannot overflow.
    small = np.exp(-np.abs(logits))
    probabilities = np.where(logits < 0, small, 1.0) / (1.0 + small)
    if thresholds is None:
        thresholds = [DEFAULT_THRESHOLD] * logits.shape[-1]
    return probabilities > np.asarray(thresholds), probabilities


def softmax(logits: np.ndarray) -> np.ndarray:
    """The softmax over the last axis, in float64."""
    logits = np.asarray(logits, "float64")
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _is_probability(value):
    return (
        isinstance(value, (int, float, np.floating))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= 1
    )
