"""Checkpoints from which a run resumes exactly.

A checkpoint is a directory `step-00000300` with `training_state.safetensors`
(all variables of the model, including random states, and of the optimizer)
and `training_state.json` (step, shape and type of each variable, checksum).
It is written atomically. Datasets draw their batches by step, so a resumed run
is identical to an uninterrupted one. On another Keras backend it continues
with the same weights and batches, but rounding and dropout differ.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy

from albert_keras.files.atomic_write import atomic_directory
from albert_keras.files.storage_errors import storage_errors_explained
from albert_keras.files.strict_json import parse_json

STATE_FILE = "training_state.safetensors"
DESCRIPTION_FILE = "training_state.json"
_DISK_FULL = (
    "The earlier checkpoints are intact. Make room or pass a `checkpoint_dir` "
    "on another disk, then run the same command with `resume=True`."
)
_logger = logging.getLogger(__name__)


def save_checkpoint(
    directory: str | Path,
    model: Any,
    step: int,
    export: Callable[[Path], None] | None = None,
    keep: int | None = None,
    settings: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
) -> Path:
    """Writes a checkpoint of a compiled model.

    Args:
        directory: Directory of the run's checkpoints.
        model: A compiled Keras model whose optimizer is built.
        step: Updates done.
        export: Called with the checkpoint's directory to add files, for
            example `model.write_pretrained`.
        keep: Number of newest checkpoints to keep; None keeps all.
        settings: JSON-serializable settings, which a resumed run compares
            with its own.
        data: JSON-serializable descriptions of the data, see
            `check_same_data`.

    Returns:
        Path of the checkpoint.

    Raises:
        StorageError: If the disk is full or not writable. The earlier
            checkpoints are intact.
    """
    directory = Path(directory)
    variables = _variables(model)
    arrays = {
        key: np.asarray(keras.ops.convert_to_numpy(variable))
        for key, variable in variables.items()
    }
    path = directory / f"step-{step:08d}"
    needed = sum(array.nbytes for array in arrays.values())
    if export is not None:
        needed += sum(arrays[key].nbytes for key in arrays if key[0] == "m")
    with (
        storage_errors_explained(path, remedy=_DISK_FULL),
        atomic_directory(path, needed) as temporary,
    ):
        safetensors.numpy.save_file(arrays, temporary / STATE_FILE)
        description = {
            "step": int(step),
            "settings": settings or {},
            "data": data or {},
            "optimizer": _optimizer_name(model.optimizer),
            "backend": keras.config.backend(),
            "sha256": _sha256(temporary / STATE_FILE),
            "variables": {
                key: _describe(variable) for key, variable in variables.items()
            },
        }
        (temporary / DESCRIPTION_FILE).write_text(
            json.dumps(description, indent=2) + "\n", encoding="utf-8"
        )
        if export is not None:
            export(temporary)
    if keep is not None:
        for old in _checkpoints(directory)[:-keep]:
            shutil.rmtree(old)
    return path


def remove_unfinished(directory: str | Path) -> None:
    """Removes partial checkpoints of processes killed while saving."""
    for path in Path(directory).glob(".tmp-step-*"):
        shutil.rmtree(path)


def checkpoint_settings(path: str | Path) -> dict[str, Any]:
    """Returns the settings that a checkpoint was saved with."""
    return _read_description(path).get("settings", {})


def checkpoint_data(path: str | Path) -> dict[str, Any]:
    """Returns the `data` that a checkpoint was saved with; may be empty."""
    return _read_description(path).get("data", {})


def newest_checkpoint(directory: str | Path) -> Path | None:
    """Returns the path of the newest intact checkpoint, or None.

    Damaged checkpoints are skipped with a warning.
    """
    for path in reversed(_checkpoints(directory)):
        try:
            description = _read_description(path)
            if _sha256(path / STATE_FILE) == description["sha256"]:
                return path
            problem = "its checksum differs"
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = repr(error)
        _logger.warning("Skipping the checkpoint %s: %s.", path, problem)
    return None


def restore_checkpoint(
    path: str | Path, model: Any, optimizer_state: bool = True
) -> int:
    """Assigns a checkpoint's values to a compiled model.

    All variables are checked before any is assigned.

    Args:
        path: A checkpoint directory.
        model: A compiled model of the same architecture.
        optimizer_state: Whether to restore the optimizer as well.

    Returns:
        The step of the checkpoint.

    Raises:
        ValueError: If the variables of model or optimizer do not match.
    """
    path = Path(path)
    variables = _variables(model)
    description = _read_description(path)
    stored = description["variables"]
    if not optimizer_state:
        variables = {k: v for k, v in variables.items() if k[0] == "m"}
        stored = {k: v for k, v in stored.items() if k[0] == "m"}
    elif description["optimizer"] != _optimizer_name(model.optimizer):
        raise ValueError(
            f"The checkpoint {path} was saved with the optimizer "
            f"{description['optimizer']}, but the model has "
            f"{_optimizer_name(model.optimizer)}. Use the same optimizer, or "
            "pass `optimizer_state=False` to restore only the weights."
        )
    for key in [*variables, *stored]:
        expected = _describe(variables[key]) if key in variables else None
        if not _fits(stored.get(key), expected):
            raise ValueError(
                f"The checkpoint {path} is of another model: the variable "
                f"{key} is {stored.get(key)} in the checkpoint and {expected} "
                "in the model (None: missing). Use the settings that the run "
                "was started with."
            )
    arrays = safetensors.numpy.load_file(path / STATE_FILE)
    for key, variable in variables.items():
        shape_and_type = _describe(variable)
        if stored[key] != shape_and_type:  # integers of another backend
            arrays[key] = arrays[key].astype(shape_and_type[1])
        variable.assign(arrays[key])
    _warn_of_other_backend(path, description.get("backend"))
    return description["step"]


def _warn_of_other_backend(path, backend):
    if backend not in (None, keras.config.backend()):
        _logger.warning(
            "%s was saved on the backend %s. On %s the run continues with the "
            "same weights and batches, but the results are not bit-identical.",
            path,
            backend,
            keras.config.backend(),
        )


def _variables(model):
    """All variables by kind and index, which are the same in every process."""
    named = {
        f"model/{index:04d}": variable
        for index, variable in enumerate(model.variables)
    }
    for index, variable in enumerate(model.optimizer.variables):
        named[f"optimizer/{index:04d}"] = variable
    return named


def _optimizer_name(optimizer):
    inner = getattr(optimizer, "inner_optimizer", None)
    name = type(optimizer).__name__
    return f"{name}({type(inner).__name__})" if inner else name


def _describe(variable):
    """Shape and type; not the path, whose numbers depend on the process."""
    return [
        list(variable.shape),
        keras.backend.standardize_dtype(variable.dtype),
    ]


def _fits(stored, expected):
    """Whether shape and type match; integer types differ between backends."""
    if stored == expected or None in (stored, expected):
        return stored == expected
    shapes, types = zip(stored, expected, strict=True)
    return shapes[0] == shapes[1] and all("int" in name for name in types)


def _checkpoints(directory):
    """Checkpoint directories, oldest first."""
    return sorted(
        path
        for path in Path(directory).glob("step-*")
        if (path / DESCRIPTION_FILE).is_file()
    )


def _read_description(path):
    text = (Path(path) / DESCRIPTION_FILE).read_text(encoding="utf-8")
    return parse_json(text)


def _sha256(path):
    checksum = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.hexdigest()
