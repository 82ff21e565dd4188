"""Quantized layers of a model: how they are saved and restored."""

import keras

from albert_keras.conversion.weight_places import layers_by_place
from albert_keras.models.weight_loading import BACKBONE, is_traced

QUANTIZED_LAYERS = "quantized_layers"


def quantization_config(model):
    """Returns the entry of `get_config` for quantized layers.

    Args:
        model: A `PretrainedModel`. The layers of its backbone are left out,
            since the backbone has a configuration of its own.

    Returns:
        `{"quantized_layers": {place: {"mode", "config"}}}`, or `{}` if there
        are none.
    """
    settings = {
        place: {
            "mode": layer.quantization_mode,
            "config": keras.saving.serialize_keras_object(
                _custom_config(layer)
            ),
        }
        for place, layer in _quantized(model).items()
        if not hasattr(model, "backbone") or not _in_backbone(place)
    }
    return {QUANTIZED_LAYERS: settings} if settings else {}


def quantize_layers(model, settings):
    """Quantizes the layers of a model at some places.

    Args:
        model: A `PretrainedModel`. Places that it lacks are skipped.
        settings: The `quantized_layers` of `quantization_config`.

    Raises:
        ValueError: If a layer cannot be quantized in this way, or a function
            is being traced.
    """
    if settings and is_traced():
        raise ValueError(
            "Quantized models cannot be loaded while an outer layer or "
            "function is traced. Load the model before, for example in the "
            "constructor of the layer."
        )
    layers = layers_by_place(model, BACKBONE)
    for place in [place for place in settings if place in layers]:
        mode = settings[place]["mode"]
        config = keras.saving.deserialize_keras_object(
            settings[place].get("config")
        )
        options = {} if config is None else {"config": config}
        try:
            layers[place].quantize(mode, type_check=False, **options)
        except (NotImplementedError, TypeError) as error:
            raise ValueError(
                f"The layer {place} cannot be quantized to {mode!r}: {error}"
            ) from error


def check_pretrained_format(model):
    """Raises unless `save_pretrained` can store the model's quantization.

    The files hold int8 kernels and their scales, and no settings.
    """
    for place, layer in _quantized(model).items():
        if layer.quantization_mode == "int8" and not _custom_config(layer):
            continue
        raise ValueError(
            "`save_pretrained` stores layers quantized to int8 with Keras's "
            f"default configuration. Received: {place} with the mode "
            f"{layer.quantization_mode!r}. Save the model with "
            '`model.save("model.keras")`.'
        )


def _quantized(model):
    return {
        place: layer
        for place, layer in layers_by_place(model, BACKBONE).items()
        if layer.quantization_mode is not None
    }


def _in_backbone(place):
    return place.split("/")[0] == BACKBONE


def _custom_config(layer):
    """The configuration that a layer was quantized with; None by default."""
    config = getattr(layer, "quantization_config", None)
    if config is None or config.get_config() == type(config)().get_config():
        return None
    return config
