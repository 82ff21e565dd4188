"""Sample weights from the weights of classes."""

import json

import numpy as np

from albert_keras.data.tables.table_labels import Labels
from albert_keras.problems import MULTI_LABEL, REGRESSION

BALANCED = "balanced"


def class_weights(
    text: str | None, labels: Labels, encoded: np.ndarray
) -> np.ndarray | None:
    """Returns a weight for each label of the training rows.

    Args:
        text: "balanced"; a JSON object of weights by class name, 1 for others;
            a JSON list of weights in the order of `labels.class_names`; or
            None for no weights. "balanced" gives all classes the same total
            weight (scikit-learn's `compute_class_weight`), and for
            "multi_label" the rows with and without each class.
        labels: The problem and the classes.
        encoded: The labels, `(N,)` or `(N, C)`, see `encode_labels`.

    Returns:
        float32 in the shape of the labels, or None.

    Raises:
        ValueError: If the text is neither, or names other classes.
    """
    if text is None:
        return None
    if labels.problem == REGRESSION:
        raise ValueError(
            "`class_weights` require classes. Received: "
            f"class_weights={text!r} for a regression. Omit them."
        )
    if text == BALANCED:
        return _balanced(labels, encoded)
    weights = np.array(_parse(text, labels.class_names), "float32")
    if labels.problem == MULTI_LABEL:
        return np.broadcast_to(weights, encoded.shape).copy()
    return weights[encoded]


def _balanced(labels, encoded):
    from sklearn.utils.class_weight import compute_sample_weight

    if labels.problem != MULTI_LABEL:
        return compute_sample_weight(BALANCED, encoded).astype("float32")
    weights = np.ones(encoded.shape, "float32")
    for number, column in enumerate(encoded.T):
        known = ~np.isnan(column)
        weights[known, number] = compute_sample_weight(BALANCED, column[known])
    return weights


def _parse(text, names):
    """The weight of each class."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if isinstance(values, dict) and set(values) <= set(names):
        values = [values.get(name, 1.0) for name in names]
    if (
        isinstance(values, list)
        and len(values) == len(names)
        and all(isinstance(v, (int, float)) and v >= 0 for v in values)
        and any(values)
    ):
        return values
    raise ValueError(
        f"`class_weights` must be {BALANCED!r}, a JSON object of numbers by "
        f"class or a JSON list of {len(names)} numbers, from 0. The classes "
        f"are: {', '.join(names):.300}. Received: {text!r:.200}."
    )
