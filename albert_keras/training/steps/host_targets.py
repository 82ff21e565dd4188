"""Labels and sample weights that a caller passes as arrays."""

import numpy as np

from albert_keras.losses import IGNORED_LABEL
from albert_keras.training.steps.targets import (
    check_label_type,
    check_weight_keys,
    label_keys,
    labels_by_key,
    weights_of_label,
)


def check_arrays(objectives, y, sample_weight=None):
    """Checks labels and gives weights the structure that Keras asks for.

    Keras accepts a dictionary of weights only with the keys of the labels.
    Labels without weights get ones.

    Args:
        objectives: The `Objective`s of a model.
        y: Labels, an array or a dictionary of arrays; None for datasets.
        sample_weight: Weights, as for `make_targets`.

    Returns:
        The weights.

    Raises:
        ValueError: If labels are not numbers, or, without weights, class ids
            are negative or fractions.
    """
    if y is None:
        return sample_weight
    labels = labels_by_key(objectives, y)
    check_weight_keys(objectives, labels, sample_weight)
    for objective in objectives:
        for key in label_keys(objective):
            _check_labels(objective, key, labels[key], sample_weight)
    if not isinstance(y, dict) or sample_weight is None:
        return sample_weight
    if not isinstance(sample_weight, dict) and len(objectives) > 1:
        return sample_weight  # weights of rows, which Keras repeats itself
    given = {
        key: weights_of_label(objective, key, sample_weight)
        for objective in objectives
        for key in label_keys(objective)
    }
    return {
        key: np.ones(len(value), "float32")
        if given.get(key) is None
        else given[key]
        for key, value in labels.items()
    }


def check_class_weight(objectives, class_weight):
    """Raises a `ValueError` unless each row of a batch has one class id.

    Keras would take the labels of tokens for one-hot vectors.
    """
    if class_weight is None:
        return
    keys = [key for objective in objectives for key in label_keys(objective)]
    if len(keys) == 1:
        (objective,) = objectives
        if objective.class_ids and objective.target_rank == 1:
            return
    raise ValueError(
        "`class_weight` requires a model whose labels are one class id for "
        f"each row. Received: class_weight={class_weight!r} for the labels "
        f"{keys}. Pass `sample_weight` with the weight of each label."
    )


def _check_labels(objective, key, labels, sample_weight):
    if not isinstance(labels, np.ndarray) and not hasattr(labels, "to_numpy"):
        return  # tensors are checked in the step
    values = np.asarray(labels)
    check_label_type(objective, key, values.dtype)
    # With weights, a target of weight 0 may have any label.
    if not objective.class_ids or sample_weight is not None:
        return
    is_id = (values >= 0) & (values == np.floor(values))
    expected = "whole numbers from 0"
    if objective.each_class:
        is_id = (values == 0) | (values == 1) | np.isnan(values)
        expected = "0 or 1"
    wrong = values[~(is_id | (values == IGNORED_LABEL))]
    if len(wrong):
        raise ValueError(
            f"The labels {key!r} of objective {objective.name!r} must be "
            f"{expected}, or {IGNORED_LABEL} for targets without a "
            f"label. Received: {wrong[0]}, and {len(wrong)} such labels in "
            f"total. Correct them, or replace them by {IGNORED_LABEL}."
        )
