"""Loads and runs an exported model, with its runtime and NumPy alone.

It is also a program of its own, which compares an export with a model in a
process that imports neither Keras nor this package:

    python -I run_export.py FORMAT PRECISION FILE BATCHES

BATCHES is a directory with inputs as `N.npz`; the outputs become
`N-outputs.npz`, and the seconds of each batch are printed as JSON.
"""

import importlib.abc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FILES = {
    "saved_model": "saved_model",
    "onnx": "model.onnx",
    "openvino": "model.xml",
    "litert": "model.tflite",
}
_NOT_NEEDED = ("albert_keras", "keras")
_FEWEST_RUNS, _MOST_RUNS, _SECONDS = 3, 30, 2.0


class ExportedModel:
    """An exported model, loaded by the runtime of its format.

    Args:
        format: A key of `FILES`.
        precision: "float32", "bfloat16" or "int8".
        path: The file, or the directory of a SavedModel.
        threads: Number of threads; None lets the runtime choose.

    Attributes:
        input_names: Names of its inputs.

    Raises:
        ModuleNotFoundError: If the runtime is not installed.
    """

    def __init__(
        self,
        format: str,
        precision: str,
        path: str | Path,
        threads: int | None = None,
    ) -> None:
        self.input_names, self._run = _LOADERS[format](
            str(path), precision, threads
        )

    def __call__(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the outputs by name, as float32.

        Args:
            inputs: int32 arrays by name; those it does not have are left out.
        """
        outputs = self._run({name: inputs[name] for name in self.input_names})
        return {k: np.asarray(v, "float32") for k, v in outputs.items()}


def _load_onnx(path, precision, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def run(inputs):
        return dict(zip(names, session.run(names, inputs), strict=True))

    return [value.name for value in session.get_inputs()], run


def _load_openvino(path, precision, threads):
    import openvino

    # On some processors OpenVINO would compute a float32 model in bfloat16.
    hint = "bf16" if precision == "bfloat16" else "f32"
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": hint,
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    core = openvino.Core()
    model = core.read_model(path)
    # A compiled model may call its outputs by other names, in this order.
    names = [output.any_name for output in model.outputs]
    compiled = core.compile_model(model, "CPU", options)

    def run(inputs):
        results = compiled(inputs)
        return {name: results[i].copy() for i, name in enumerate(names)}

    return [value.any_name for value in model.inputs], run


def _load_litert(path, precision, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=threads or os.cpu_count())
    (name,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(name)
    names = interpreter.get_signature_list()[name]["inputs"]

    def run(inputs):
        return {k: np.array(v) for k, v in runner(**inputs).items()}

    return names, run


def _load_saved_model(path, precision, threads):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    loaded = tf.saved_model.load(path)
    _, specs = loaded.signatures["serving_default"].structured_input_signature
    names = list(specs)

    def run(inputs):
        tensors = {k: tf.constant(v) for k, v in inputs.items()}
        outputs = loaded.serve(tensors)
        return {k: tf.cast(v, tf.float32).numpy() for k, v in outputs.items()}

    return names, run


_LOADERS: dict[str, Callable] = {
    "saved_model": _load_saved_model,
    "onnx": _load_onnx,
    "openvino": _load_openvino,
    "litert": _load_litert,
}


def median_seconds(run: Callable[[Any], Any], inputs: Any) -> float:
    """The median time of some calls with inputs, after a first one."""
    run(inputs)
    seconds: list[float] = []
    while len(seconds) < _FEWEST_RUNS or (
        len(seconds) < _MOST_RUNS and sum(seconds) < _SECONDS
    ):
        start = time.perf_counter()
        run(inputs)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


class _RefusedImports(importlib.abc.MetaPathFinder):
    """Makes the import of some packages an error."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ImportError(f"An export must not need {name}.")


def main(format: str, precision: str, path: str, batches: str) -> None:
    """Runs an export on all batches of a directory."""
    # TensorFlow imports Keras when it loads a SavedModel.
    others = ("albert_keras",) if format == "saved_model" else _NOT_NEEDED
    sys.meta_path.insert(0, _RefusedImports(others))
    model = ExportedModel(format, precision, path)
    seconds = {}
    for file in sorted(Path(batches).glob("*.npz")):
        inputs = dict(np.load(file, allow_pickle=False))
        np.savez(file.with_name(f"{file.stem}-outputs.npz"), **model(inputs))
        if file.stem.startswith("timed"):
            seconds[file.stem] = median_seconds(model, inputs)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
