"""Assigns pretrained weights to a model."""

import logging

import keras

from albert_keras.conversion.weight_places import weights_by_place
from albert_keras.conversion.weight_translation import listed

BACKBONE = "backbone"
_logger = logging.getLogger(__name__)


def assign_weights(model, parts, replaced=frozenset(), strict=True):
    """Assigns weights to a model by name, and warns of those without a match.

    Args:
        model: A `PretrainedModel`.
        parts: `PretrainedParts`.
        replaced: Names of arguments and fields that the caller replaced. If
            `num_classes` is among them, a classifier of another size stays
            randomly initialized.
        strict: Whether to raise if a weight of the backbone has no match, or
            one of a head that the source has.

    Raises:
        ValueError: If a shape differs, a `tf.function` is being traced, or
            see `strict`. Nothing has been assigned then.
    """
    variables = weights_by_place(model, BACKBONE)
    values, missing, resized = {}, [], []
    for name, variable in variables.items():
        value = parts.weights.get(name)
        if value is None:
            missing.append(name)
        elif value.shape == tuple(variable.shape):
            values[name] = value
        elif name.startswith("classifier/") and "num_classes" in replaced:
            resized.append(f"{name} {value.shape} as {tuple(variable.shape)}")
        else:
            raise ValueError(
                f"{parts.source} does not fit the model: {name} has shape "
                f"{value.shape} in the file and {tuple(variable.shape)} in "
                "the model."
            )
    unused = [name for name in parts.weights if name not in variables]
    if strict:
        _check_missing(model, parts, missing, replaced)
        _check_unused(parts, unused)
    _set_values([(variables[name], value) for name, value in values.items()])
    _warn(parts.source, [*missing, *resized], [*unused, *parts.left_over])


def _set_values(pairs):
    """Assigns arrays to variables, or makes them the initial values.

    While Keras traces an outer layer that is not built, variables of new
    layers have no values and assignments are lost: Keras calls their
    initializers after the trace. In a `tf.function` of the caller they are
    lost, too.
    """
    have_values = [v for v, _ in pairs if getattr(v, "_value", v) is not None]
    if have_values and is_traced():
        raise ValueError(
            "Pretrained weights cannot be loaded while a `tf.function` is "
            "traced: they would be lost after it. Load the model before, for "
            "example by calling the layer that loads it once on a batch."
        )
    for variable, value in pairs:
        if getattr(variable, "_value", value) is not None:
            variable.assign(value)
            continue
        variable._initializer = lambda shape, dtype=None, value=value: (
            keras.ops.convert_to_tensor(value, dtype)
        )


def is_traced():
    """Whether the backend traces a function, in which tensors are symbolic."""
    try:
        keras.ops.convert_to_numpy(keras.ops.zeros(()))
    except Exception:  # each backend raises its own error
        return True
    return False


def _check_missing(model, parts, missing, replaced):
    """Raises if the source should have had some of the missing weights.

    It may lack whole heads, unless it is of the model's own class.
    """
    name_of_class = type(model).__name__
    same_class = parts.model_class == name_of_class
    if same_class and not replaced & set(model.arguments):
        heads = {name.split("/")[0] for name in missing}
    else:
        heads = {name.split("/")[0] for name in parts.weights}
    needed = heads | {BACKBONE}
    required = [
        name
        for name in missing
        if name.split("/")[0] in needed and not name.startswith(parts.absent)
    ]
    if required:
        raise ValueError(
            f"{parts.source} lacks {len(required)} weights of the "
            f"{name_of_class}: {listed(required)}. They would stay random. "
            "Load a source that has them, or pass `strict=False` to load the "
            "others."
        )


def _check_unused(parts, unused):
    """Raises if the model lacks a part of the source's backbone."""
    lost = [name for name in unused if name.startswith(f"{BACKBONE}/")]
    if lost:
        raise ValueError(
            f"{parts.source} has {len(lost)} weights of the backbone that the "
            f"model has no place for: {listed(lost)}. Load it with the fields "
            "of its own configuration, or pass `strict=False` to load the "
            "others."
        )


def _warn(source, missing, unused):
    clauses = []
    if missing:
        names = ", ".join(missing)
        clauses.append(f"no weights for {names}: randomly initialized")
    if unused:
        clauses.append(f"not used: {', '.join(unused)}")
    if clauses:
        _logger.warning("%s: %s.", source, "; ".join(clauses))
