"""Low-rank adaptation of a backbone: LoRA (Hu et al. 2021, arXiv:2106.09685).

Shared blocks have one update each, for all layers that apply them.
"""

import numpy as np

from albert_keras.conversion.weight_places import layers_by_place
from albert_keras.models.weight_loading import BACKBONE


def train_low_rank_updates(backbone, rank, layer_names, lora_alpha=None):
    """Freezes a backbone and trains an update of low rank in some layers.

    Args:
        backbone: A built `AlbertBackbone`.
        rank: Rank of the updates.
        layer_names: Names of layers, such as "query".
        lora_alpha: The updates are multiplied by `lora_alpha / rank`.

    Raises:
        ValueError: If `rank` is not a positive integer, no linear layer has
            one of the names, or the backbone has LoRA already. Nothing has
            changed then.
    """
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise ValueError(
            f"`rank` must be a positive integer. Received: {rank!r}."
        )
    layers = [
        layer
        for layer in layers_by_place(backbone, BACKBONE).values()
        if hasattr(layer, "enable_lora")
    ]
    if any(getattr(layer, "lora_enabled", False) for layer in layers):
        raise ValueError(
            "The backbone has LoRA already, which can be enabled once. Load "
            "the model again for another rank."
        )
    known = {layer.name for layer in layers}
    unknown = sorted(set(layer_names) - known)
    if unknown or not layer_names:
        raise ValueError(
            f"`target_layer_names` must be names among {sorted(known)}. "
            f"Received: {list(layer_names)!r}."
        )
    backbone.trainable = True
    for weight in backbone.weights:
        weight.trainable = False
    for layer in layers:
        if layer.name in layer_names:
            layer.enable_lora(rank, lora_alpha=lora_alpha)


def merge_low_rank_updates(model, arrays):
    """Returns weights with the updates added to the weights they are for.

    Args:
        model: A `PretrainedModel`.
        arrays: Its weights by place.
    """
    merged = dict(arrays)
    for place, layer in layers_by_place(model, BACKBONE).items():
        if not getattr(layer, "lora_enabled", False):
            continue
        start = f"{place}/lora_"
        for a_name in [n for n in arrays if n.startswith(start)]:
            if not a_name.endswith("_a"):
                continue
            name = f"{place}/{a_name[len(start) : -len('_a')]}"
            a, b = merged.pop(a_name), merged.pop(f"{a_name[:-1]}b")
            update = (layer.lora_alpha / layer.lora_rank) * np.matmul(a, b)
            _add(merged, name, update)
    return merged


def _add(arrays, name, update):
    """Adds an update to a weight, which may be int8 with a scale."""
    weight, scale = arrays[name], arrays.get(f"{name}_scale")
    if weight.dtype != "int8":
        total = weight.astype(np.promote_types("float32", weight.dtype))
        total = total + update
        arrays[name] = total.astype(weight.dtype)
        return
    if scale.shape != weight.shape[-1:]:
        raise ValueError(
            f"LoRA's update cannot be added to the int8 weight {name} of shape "
            f"{weight.shape}, whose scale has the shape {scale.shape}. Save "
            'the model with `model.save("model.keras")`.'
        )
    total = weight / scale.astype("float32") + update
    new_scale = 127 / (np.abs(total).max(axis=0) + 1e-7)
    arrays[name] = np.round(total * new_scale).astype("int8")
    arrays[f"{name}_scale"] = new_scale.astype(scale.dtype)
