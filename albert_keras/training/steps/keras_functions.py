"""Losses and metrics in Keras's form, called with labels and logits.

Keras's functions disagree about the shape of labels, and about logits or
probabilities. Here each gets labels and predictions in the form that it takes.
"""

import functools
import inspect

import keras
from keras import ops

# Keras's losses and metrics whose labels are one-hot vectors.
_ONE_HOT = {
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "kl_divergence",
    "top_k_categorical_accuracy",
}


def find_function(get, identifier, argument):
    """Returns the loss or metric for a name, and anything else unchanged.

    A function of Keras that takes either logits or probabilities is set to
    logits, which all heads return.

    Args:
        get: `keras.losses.get` or `keras.metrics.get`.
        identifier: A name, a function or an object.
        argument: Name of the argument of `compile`, for errors.

    Raises:
        ValueError: If Keras has nothing of this name, or the identifier is
            neither a name nor callable.
    """
    found = identifier
    if isinstance(identifier, str):
        try:
            found = get(identifier)
        except ValueError:
            found = None
    if not callable(found):
        raise ValueError(
            f"`{argument}` must be names, functions or objects of Keras. "
            f"Received: {identifier!r}. See keras.io/api/{argument}."
        )
    if not (inspect.isfunction(found) or isinstance(identifier, str)):
        return found
    maker = found if inspect.isfunction(found) else type(found)
    if not (_is_keras(maker) and _has_parameter(maker, "from_logits")):
        return found
    if inspect.isfunction(found):
        return functools.partial(found, from_logits=True)
    return maker(from_logits=True)


def name_of(function):
    """The name under which Keras would report a function as a metric."""
    inner = _inner(function)
    return getattr(inner, "__name__", type(inner).__name__)


def expects_probabilities(function):
    """Whether a loss or metric of Keras takes probabilities, not logits.

    That is so if it has the option `from_logits` and it is false, or if it
    compares predictions with thresholds from 0 to 1.
    """
    if not _is_keras(type(function)):
        return False
    options = getattr(function, "_fn_kwargs", {})
    from_logits = [
        options.get("from_logits"),
        getattr(function, "from_logits", None),
        getattr(function, "_from_logits", None),
    ]
    if any(value is not None for value in from_logits):
        return not any(from_logits)
    return (
        "threshold" in options
        or hasattr(function, "threshold")
        or hasattr(function, "thresholds")
        or _inner(function) is keras.metrics.binary_accuracy
    )


def to_probabilities(objective, labels, logits):
    """Sigmoid of logits with a label each, otherwise softmax over classes.

    The predictions of a regression are returned unchanged.
    """
    if not objective.class_ids:
        return logits
    if len(labels.shape) == len(logits.shape):
        return ops.sigmoid(logits)
    return ops.softmax(logits, axis=-1)


def arrange(objective, function, labels, predictions):
    """Labels and predictions in the shapes that a loss or metric takes.

    Args:
        objective: The `Objective` that they belong to.
        function: A loss or a metric.
        labels: Class ids or numbers, one for each target.
        predictions: Logits of the targets, with an axis of classes for class
            ids and of length one for numbers; or one logit for each label.

    Returns:
        For class ids under classes: the ids, or one-hot vectors. For numbers:
        both with a last axis of length one. For one logit for each label: both
        `(B, 1)`, or `(B, C)`; where Keras would take the mean over the
        classes, `(B, C, 1)`.
    """
    if len(labels.shape) != len(predictions.shape):
        if not objective.class_ids:
            return labels[..., None], predictions
        if _takes_one_hot(function):
            labels = ops.one_hot(
                ops.cast(labels, "int32"), ops.shape(predictions)[-1]
            )
        return labels, predictions
    if len(labels.shape) == 1 or _averages_classes(function):
        return labels[..., None], predictions[..., None]
    return labels, predictions


def _inner(function):
    """The function inside of Keras's wrappers, or the object itself."""
    if isinstance(function, functools.partial):
        return function.func
    for name in ("fn", "_fn"):
        if hasattr(function, name):
            return _inner(getattr(function, name))
    return function


def _takes_one_hot(function):
    if isinstance(function, keras.metrics.FBetaScore):
        return True
    if _is_keras(type(function)) and hasattr(function, "thresholds"):
        return True  # Precision, AUC and others, which have no classes
    inner = _inner(function)
    return _is_keras(inner) and getattr(inner, "__name__", "") in _ONE_HOT


def _averages_classes(function):
    """Whether it is a function of Keras, which averages over the last axis."""
    inner = _inner(function)
    return inspect.isfunction(inner) and _is_keras(inner)


def _is_keras(thing):
    return str(getattr(thing, "__module__", "")).startswith("keras.")


def _has_parameter(maker, name):
    return name in inspect.signature(maker).parameters
