"""Labels and sample weights of a batch, in the shapes of the objectives.

Everything here also runs while a backend traces a step: shapes are compared
where they are known, types always, and values never.
"""

import math

import keras
from keras import ops

from albert_keras.losses import IGNORED_LABEL, pick

_SHAPES = {1: "(B,), one for each row", 2: "(B, T), one for each token"}


def make_targets(objectives, y, sample_weight=None):
    """Returns labels and float32 weights of each objective, by name.

    For an objective with several labels, both are tuples. Weights have the
    shape of the labels. A target whose weight is 0 has no effect: its label is
    replaced by 0, so that it may be anything, as padding is.

    Args:
        objectives: The `Objective`s of a model.
        y: Labels by key, or one tensor if the objectives have one key. With
            one axis more than the targets, of length one, they are squeezed.
            Labels with the class id `IGNORED_LABEL` get the weight 0.
        sample_weight: Weights of the targets: None for ones, one tensor for
            all labels, or a dictionary by label or by objective. Keras's
            conventions: a last axis of length one is squeezed, and weights
            `(B,)` or `(B, 1)` of targets `(B, T)` are those of rows.

    Raises:
        ValueError: If labels are missing, weights are for unknown labels, a
            shape is not that of the targets, or class ids are not numbers.
    """
    y = labels_by_key(objectives, y)
    check_weight_keys(objectives, y, sample_weight)
    return {
        objective.name: _targets_of(objective, y, sample_weight)
        for objective in objectives
    }


def label_keys(objective):
    """The keys of an objective's labels, as a tuple."""
    keys = objective.label_keys
    return keys if isinstance(keys, tuple) else (keys,)


def objective_of_key(objectives, key, argument):
    """Finds the objective and the labels that a key of `compile` names.

    Args:
        objectives: The `Objective`s of a model.
        key: Name of an objective, or key of one of its labels or outputs.
        argument: Name of the argument, for errors.

    Returns:
        (objective, indices of its labels).

    Raises:
        ValueError: If nothing has this name.
    """
    known = []
    for objective in objectives:
        labels, outputs = label_keys(objective), objective.output
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        if key == objective.name:
            return objective, tuple(range(len(labels)))
        for index, names in enumerate(zip(labels, outputs, strict=True)):
            if key in names:
                return objective, (index,)
        known += dict.fromkeys((objective.name, *labels, *outputs))
    raise ValueError(
        f"`{argument}` must have keys that name objectives, labels or outputs: "
        f"{known}. Received: {key!r}."
    )


def labels_by_key(objectives, y):
    """Returns labels as a dictionary with the keys of the objectives.

    Raises:
        ValueError: If the labels of an objective are missing.
    """
    keys = [key for objective in objectives for key in label_keys(objective)]
    if not isinstance(y, dict) and y is not None:
        if len(keys) > 1:
            raise ValueError(
                f"The labels must be a dictionary with the keys {keys}. "
                f"Received: {type(y).__name__}."
            )
        return {keys[0]: y}
    y = {key: value for key, value in (y or {}).items() if value is not None}
    for objective in objectives:
        for key in label_keys(objective):
            if key not in y:
                raise ValueError(
                    f"The labels {key!r} of objective {objective.name!r} are "
                    f"missing. Received: labels for {sorted(y)}. Add them "
                    "to the batch."
                )
    return y


def check_weight_keys(objectives, y, sample_weight):
    """Raises a `ValueError` if a dictionary has weights of unknown labels."""
    if not isinstance(sample_weight, dict):
        return
    known = {*y, *(objective.name for objective in objectives)}
    if unknown := sorted(set(sample_weight) - known):
        raise ValueError(
            "`sample_weight` must have the keys of labels or objectives, "
            f"{sorted(known)}. Received: {unknown}. Rename or remove them."
        )


def weights_of_label(objective, key, sample_weight):
    """The weights that the caller gave to a label, or None."""
    if not isinstance(sample_weight, dict):
        return sample_weight
    weights = sample_weight.get(key)
    return sample_weight.get(objective.name) if weights is None else weights


def check_label_type(objective, key, dtype):
    """Raises a `ValueError` if labels have a type that holds no numbers."""
    name = str(dtype)
    if "int" in name or "float" in name or "bool" in name:
        return
    raise ValueError(
        f"The labels {key!r} of objective {objective.name!r} must be "
        f"{'class ids, whole numbers' if objective.class_ids else 'numbers'}. "
        f"Received: labels of type {name}. Map each class to its id first, "
        "for example `classes, ids = numpy.unique(labels, "
        "return_inverse=True)`."
    )


def row_count(targets):
    """Number of rows of a batch's targets, a float32 scalar."""
    weights = keras.tree.flatten(targets)[-1]
    return ops.cast(ops.shape(weights)[0], "float32")


def total_weight(weights):
    """Sum of an objective's weights; at least 1e-12 for division."""
    return ops.maximum(ops.sum(_mean(weights)), 1e-12)


def weighted_sums(objective, outputs, targets):
    """Sums an objective's weighted loss and metrics over its targets, by name.

    Raises:
        ValueError: If the shapes of labels, predictions and losses disagree.
    """
    labels, weights = targets
    predictions = pick(objective.output, outputs)
    _check_predictions(objective, labels, predictions)
    functions = {"loss": objective.loss, **objective.metrics}
    return {
        f"{objective.name}_{name}": _weighted_sum(
            objective, name, function(labels, predictions), weights
        )
        for name, function in functions.items()
    }


def _weighted_sum(objective, name, values, weights):
    if not isinstance(values, tuple):
        values, weights = (values,), (_mean(weights),)
    sums = []
    for value, weight in zip(values, weights, strict=True):
        if not _agree(value.shape, weight.shape):
            raise ValueError(
                f"{name!r} of objective {objective.name!r} must have one value "
                f"for each target, {_shape(weight)}. Received: "
                f"{_shape(value)}. Give labels the shape of the predictions "
                "without the axis of classes."
            )
        if None in (*value.shape, *weight.shape):
            value = ops.reshape(value, ops.shape(weight))
        sums.append(ops.sum(value * weight))
    return sum(sums) / len(sums)


def _mean(weights):
    """The weights of metrics: the mean over an objective's labels."""
    if isinstance(weights, tuple):
        return sum(weights) / len(weights)
    return weights


def _targets_of(objective, y, sample_weight):
    labels, weights = [], []
    for key in label_keys(objective):
        label = _as_labels(objective, key, y[key])
        weight = weights_of_label(objective, key, sample_weight)
        labels.append(label)
        weights.append(_as_weights(objective, key, weight, label))
    if objective.class_ids:  # one missing label leaves out the whole target
        has_labels = [
            ops.cast(ops.not_equal(label, IGNORED_LABEL), "float32")
            for label in labels
        ]
        weights = [weight * math.prod(has_labels) for weight in weights]
    labels = [
        ops.where(ops.equal(weight, 0), ops.zeros_like(label), label)
        for label, weight in zip(labels, weights, strict=True)
    ]
    if isinstance(objective.label_keys, tuple):
        return tuple(labels), tuple(weights)
    return labels[0], weights[0]


def _as_labels(objective, key, labels):
    if hasattr(labels, "dtype"):
        check_label_type(objective, key, labels.dtype)
    labels = ops.convert_to_tensor(labels)
    rank = objective.target_rank or len(labels.shape)
    labels = _squeezed(labels, rank)
    if len(labels.shape) != rank and objective.each_class:
        raise ValueError(
            f"The labels {key!r} of objective {objective.name!r} must have "
            "the shape (B, C), 0 or 1 for each class. Received: "
            f"{_shape(labels)}. For class ids, pass "
            "`numpy.eye(num_classes)[labels]`."
        )
    if len(labels.shape) != rank:
        raise ValueError(
            f"The labels {key!r} of objective {objective.name!r} must have "
            f"the shape {_SHAPES[rank]}. Received: {_shape(labels)}. For "
            "one-hot labels, pass `numpy.argmax(labels, axis=-1)`."
        )
    if objective.each_class and _is_float(labels):
        unknown = ops.isnan(labels)
        labels = ops.where(unknown, float(IGNORED_LABEL), labels)
    return _as_class_ids(labels) if objective.class_ids else labels


def _is_float(tensor):
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return keras.backend.is_float_dtype(dtype)


def _as_class_ids(labels):
    """Casts labels to int32; fractions become -1, which is out of range."""
    if _is_float(labels):
        is_whole = ops.equal(labels, ops.floor(labels))
        labels = ops.where(is_whole, labels, -ops.ones_like(labels))
    return ops.cast(labels, "int32")


def _as_weights(objective, key, weights, labels):
    """Float32 weights in the shape of the labels."""
    if weights is None:
        return ops.ones_like(labels, dtype="float32")
    weights = ops.cast(ops.convert_to_tensor(weights), "float32")
    received, rank = _shape(weights), len(labels.shape)
    weights = _squeezed(weights, rank)
    if len(weights.shape) == 1:
        weights = ops.reshape(weights, (-1, *[1] * (rank - 1)))
    of_rows = all(size == 1 for size in weights.shape[1:])
    shape = (labels.shape[0], *[1] * (rank - 1)) if of_rows else labels.shape
    if not _agree(weights.shape, shape):
        raise ValueError(
            f"The sample weights of the labels {key!r} of objective "
            f"{objective.name!r} must have the shape of the labels, "
            f"{_shape(labels)}, or one number for each row. Received: "
            f"{received}. Pass one weight for each label."
        )
    sizes = ops.shape(labels)
    if None in (*weights.shape, *labels.shape):
        ones = [1] * (rank - 1)
        weights = ops.reshape(weights, (sizes[0], *ones) if of_rows else sizes)
    return ops.broadcast_to(weights, sizes)


def _check_predictions(objective, labels, predictions):
    first = labels[0] if isinstance(labels, tuple) else labels
    if not isinstance(predictions, tuple):
        predictions = (predictions,)
    rank = objective.target_rank or 0
    for prediction in predictions:
        if not _agree(prediction.shape[:rank], first.shape[:rank]):
            if objective.each_class:
                raise ValueError(
                    f"The labels of objective {objective.name!r} must have "
                    "the shape of the predictions, 0 or 1 for each class. "
                    f"Received: labels {_shape(first)}, predictions "
                    f"{_shape(prediction)}."
                )
            raise ValueError(
                f"The labels of objective {objective.name!r} must have the "
                "shape of the predictions without the axis of classes. "
                f"Received: labels {_shape(first)}, predictions "
                f"{_shape(prediction)}. Pass one label for each prediction."
            )


def _squeezed(tensor, rank):
    """Removes a last axis of length one from a tensor of one axis too many."""
    if len(tensor.shape) == rank + 1 and tensor.shape[-1] in (1, None):
        return ops.squeeze(tensor, axis=-1)
    return tensor


def _agree(shape, other):
    """Whether two shapes can be equal; None is any size."""
    return len(shape) == len(other) and all(
        None in pair or pair[0] == pair[1]
        for pair in zip(shape, other, strict=True)
    )


def _shape(tensor):
    sizes = ", ".join("?" if n is None else str(n) for n in tensor.shape)
    return f"({sizes},)" if len(tensor.shape) == 1 else f"({sizes})"
