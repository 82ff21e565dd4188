"""Converts ONNX models to OpenVINO's format; int8 by NNCF."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino


def write_openvino(
    source: Path,
    target: Path,
    precision: str,
    calibration: Sequence[dict[str, np.ndarray]] | None,
) -> None:
    """Writes `model.xml` and `model.bin`.

    In bfloat16 the file is the same as in float32, with a hint to compute in
    bfloat16, which OpenVINO follows where the processor has it.

    Args:
        source: The float32 model in ONNX.
        target: File to write, `.xml`.
        precision: "float32", "bfloat16" or "int8".
        calibration: For int8, batches from which the ranges of the activations
            are taken.
    """
    model = openvino.Core().read_model(source)
    if precision == "int8":
        model = _quantized(model, calibration or ())
    hint = "bf16" if precision == "bfloat16" else "f32"
    model.set_rt_info(hint, ["runtime_options", "INFERENCE_PRECISION_HINT"])
    # OpenVINO drops the nodes that give the outputs their names.
    outputs = onnx.load(str(source)).graph.output
    for output, found in zip(outputs, model.outputs, strict=True):
        found.tensor.set_names({output.name})
    openvino.save_model(model, target, compress_to_fp16=False)


def _quantized(model: Any, calibration: Sequence[dict]) -> Any:
    # Read when NNCF is imported, which otherwise reports its use to Intel.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    # SmoothQuant, and per channel, for models of this type.
    return nncf.quantize(
        model,
        nncf.Dataset(list(calibration)),
        subset_size=len(calibration),
        model_type=nncf.ModelType.TRANSFORMER,
    )
