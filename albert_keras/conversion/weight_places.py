"""Names the weights of a Keras model by their place in it."""

from collections.abc import Iterator, Sequence
from typing import Any


def weights_by_place(model: Any, backbone_place: str = "") -> dict[str, Any]:
    """Returns the weights of a model by names that all instances share.

    A name joins the names of the layers from the model down to the weight,
    without the model's own. Unlike `variable.path` it does not depend on name
    scopes or outer layers around the model, nor on the numbers that Keras
    appends to default names (`dense_3`): these count from the model's first
    layer of the class. A weight in several places has the first one's name.

    Args:
        model: A Keras model. If it has a `backbone`, that comes first.
        backbone_place: Name of the place of `model.backbone`, or of a model
            without one.

    Raises:
        ValueError: If two weights have the same name, or one has none.
    """
    weights: dict[str, Any] = {}
    for place, _, own in _walk_model(model, backbone_place):
        for name, weight in zip(_names(own), own, strict=True):
            name = _join(place, name)
            if name in weights:
                raise ValueError(
                    f"Two weights of the {type(model).__name__} have the name "
                    f"{name!r}: a file could hold only one of them. Give "
                    "their layers different names (`name`)."
                )
            weights[name] = weight
    unnamed = {id(w) for w in model.weights} - {id(w) for w in weights.values()}
    if unnamed:
        raise ValueError(
            f"{len(unnamed)} weights of the {type(model).__name__} belong to "
            "none of its layers, so that a file could not name them. Make "
            "their layers attributes of the model."
        )
    return weights


def layers_by_place(model: Any, backbone_place: str = "") -> dict[str, Any]:
    """Returns the layers that have own weights, by the same places."""
    return {
        place: layer for place, layer, _ in _walk_model(model, backbone_place)
    }


def _walk_model(model, backbone_place):
    """Yields (place, layer, own weights) for each layer with own weights."""
    seen: set[int] = set()
    backbone = getattr(model, "backbone", model)
    yield from _walk(backbone, backbone_place, seen)
    if backbone is not model:
        yield from _walk(model, "", seen)


def _walk(layer: Any, place: str, seen: set[int]) -> Iterator[Any]:
    sublayers = layer._flatten_layers(include_self=False, recursive=False)
    below = {id(weight) for sub in sublayers for weight in sub.weights}
    own = [w for w in layer.weights if id(w) not in below | seen]
    seen.update(id(weight) for weight in own)
    if own:
        yield place, layer, own
    for name, sublayer in zip(_names(sublayers), sublayers, strict=True):
        yield from _walk(sublayer, _join(place, name), seen)


def _join(place, name):
    return f"{place}/{name}" if place else name


def _names(items: Sequence[Any]) -> list[str]:
    """Names of siblings; the numbers of default names count from 0."""
    defaults = [_default_name(item) for item in items]
    names = []
    for item, default in zip(items, defaults, strict=True):
        if default is None:
            names.append(item.name)
            continue
        base, number = default
        same = sorted({d[1] for d in defaults if d and d[0] == base})
        index = same.index(number)
        names.append(f"{base}_{index}" if index else base)
    return names


def _default_name(item):
    """Splits a name that Keras gave, such as `dense_3`; None for others."""
    base, _, number = item.name.rpartition("_")
    if not number.isdecimal():
        base, number = item.name, "0"
    kind = type(item).__name__
    if base.replace("_", "").lower() != kind.replace("_", "").lower():
        return None
    return base, int(number)
