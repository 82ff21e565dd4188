"""Exports a model with its tokenizer: one directory for another runtime."""

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.conversion.huggingface_tokenizer import write_tokenizer
from albert_keras.conversion.pretrained_parts import PretrainedParts
from albert_keras.exporting.manifest import (
    PRECISIONS,
    Manifest,
)
from albert_keras.exporting.needed_packages import needs
from albert_keras.exporting.run_export import FILES
from albert_keras.text_tasks.model_facts import ModelFacts

# Why some formats have no bfloat16.
_NO_BFLOAT16 = {
    "onnx": "ONNX Runtime has no products in bfloat16 for CPUs",
    "litert": "LiteRT computes in float32, float16 and int8",
}


def check_export(format: str, precision: str, is_calibrated: bool) -> None:
    """Raises a `ValueError` if a format lacks a precision.

    Args:
        format: A key of `FILES`.
        precision: One of `PRECISIONS`.
        is_calibrated: Whether there are batches for the calibration.
    """
    for name, value, known in (
        ("format", format, tuple(FILES)),
        ("precision", precision, PRECISIONS),
    ):
        if value not in known:
            raise ValueError(
                f"`{name}` must be one of {known}. Received: {value!r}."
            )
    if precision == "bfloat16" and format in _NO_BFLOAT16:
        raise ValueError(
            f"{_NO_BFLOAT16[format]}. Received: format={format!r}, "
            "precision='bfloat16'. Pass `format=openvino` or "
            "`format=saved_model`, or `precision=float32`."
        )
    if precision == "int8" and format == "openvino" and not is_calibrated:
        raise ValueError(
            "OpenVINO's int8 needs texts from which the ranges of the "
            "activations are taken. Pass some like those that the model will "
            "see as `calibration_file`."
        )


def export_model(
    model: Any,
    directory: str | Path,
    format: str,
    precision: str = "float32",
    calibration: Sequence[dict[str, np.ndarray]] | None = None,
) -> Manifest:
    """Writes a model and its tokenizer to an existing directory.

    Args:
        model: A model of this package with a preprocessor. For a SavedModel in
            bfloat16 it must compute in that type.
        directory: Path of the directory. It gets the model's file,
            `tokenizer.json`, `tokenizer_config.json` and the SentencePiece
            model `spiece.model`; `export.json` is left to the caller.
        format: A key of `FILES`.
        precision: One of `PRECISIONS`. int8 is that of the format's own
            toolkit: ONNX Runtime's quantizer, NNCF, LiteRT's converter, and
            Keras's `quantize` for a SavedModel.
        calibration: Batches of inputs, for int8 in ONNX and OpenVINO.

    Returns:
        The `Manifest`.

    Raises:
        ValueError: If a format lacks the precision, or a package is missing.
    """
    check_export(format, precision, bool(calibration))
    path = Path(directory) / FILES[format]
    parts = model.to_parts(model.preprocessor.tokenizer)
    if format == "saved_model":
        _write_saved_model(model, path, precision)
    elif format == "litert":
        _write_litert(model, path, precision)
    else:
        _write_onnx_or_openvino(parts, path, format, precision, calibration)
    write_tokenizer(Path(directory), parts)
    return Manifest(format, precision, ModelFacts.of(model), parts.tokenizer)


def onnx_of_parts(parts: PretrainedParts) -> Any:
    """`onnx_model`, with an error that names the extra if ONNX is missing."""
    with needs("onnx", "An export to ONNX or OpenVINO"):
        from albert_keras.exporting.onnx_model import onnx_model
    return onnx_model(parts)


def _write_onnx_or_openvino(parts, path, format, precision, calibration):
    graph = onnx_of_parts(parts)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "model.onnx")
        source.write_bytes(graph.SerializeToString())
        if format == "openvino":
            with needs("openvino", "An export to OpenVINO"):
                from albert_keras.exporting.openvino_export import (
                    write_openvino,
                )

                write_openvino(source, path, precision, calibration)
        elif precision == "int8":
            with needs("onnx", "int8 in ONNX"):
                from albert_keras.exporting.onnx_int8 import quantize_onnx
            quantize_onnx(source, path, calibration)
        else:
            shutil.copyfile(source, path)


def _write_saved_model(model, path, precision):
    if precision == "int8":
        with warnings.catch_warnings():
            # Keras names each layer that has nothing to quantize.
            warnings.filterwarnings("ignore", "Layer .* does not have a")
            model.quantize("int8")
    signature = _signature(model)
    model.export(path, "tf_saved_model", False, input_signature=signature)


def _write_litert(model, path, precision):
    """Weights as int8, per channel; activations are quantized when it runs."""
    with needs("litert", "An export to LiteRT"):
        import ai_edge_litert  # noqa: F401  needed to compare
        import tensorflow as tf
    builtins = [tf.lite.OpsSet.TFLITE_BUILTINS]  # no TensorFlow at run time
    options: dict[str, Any] = {"target_spec": {"supported_ops": builtins}}
    if precision == "int8":
        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
    signature = _signature(model)
    model.export(path, "litert", False, input_signature=signature, **options)


def _signature(model):
    """The inputs of an export by Keras, which are those in ONNX."""
    import keras

    shapes = model.input_shapes()
    if getattr(model, "answerability_head", False):
        shapes["answer_mask"] = (None, None)
    return [
        {
            name: keras.InputSpec(shape=shape, dtype="int32", name=name)
            for name, shape in shapes.items()
        }
    ]
