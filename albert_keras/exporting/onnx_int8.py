"""Quantizes ONNX models to int8 with ONNX Runtime's quantizer."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

_TABLE = "backbone/embeddings/token_embedding"


def quantize_onnx(
    source: Path,
    target: Path,
    calibration: Sequence[dict[str, np.ndarray]] | None,
) -> None:
    """Stores weights in 8 bits per channel, and computes products with them.

    Unsigned: next to unsigned activations, signed weights overflow 16 bits on
    processors without VNNI (89% instead of 96% of a small model's masks were
    filled as in float32 on an AMD EPYC with AVX2, November 2026).

    That is for products with weights, and the token table. Attention's own
    products, layer normalization and activations stay floats: quantizing those
    as well was less exact.

    Args:
        source: File of the float32 model.
        target: File to write.
        calibration: Batches from which the ranges of the activations are
            taken. None finds the range of each when the model runs, which is
            slower.
    """
    graph = onnx.load(str(source)).graph
    constants = {tensor.name for tensor in graph.initializer}
    nodes = [
        node.name
        for node in graph.node
        if (node.op_type == "MatMul" and node.input[1] in constants)
        or (node.op_type == "Gather" and node.input[0] == _TABLE)
    ]
    common: dict[str, Any] = dict(
        nodes_to_quantize=nodes, per_channel=True, weight_type=QuantType.QUInt8
    )
    with _quiet():
        if calibration is None:
            quantize_dynamic(str(source), str(target), **common)
            return
        quantize_static(
            str(source),
            str(target),
            _Batches(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            extra_options={
                "OpTypesToExcludeOutputQuantization": ["MatMul", "Gather"]
            },
            **common,
        )


class _Batches(CalibrationDataReader):
    """Batches for the calibration, in order."""

    def __init__(self, batches):
        self._batches = iter(batches)

    def get_next(self):
        return next(self._batches, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out the quantizer's advice for models of images."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
