"""Passes a recipe's settings to a training job as hyperparameters.

SageMaker's MPI driver passes each hyperparameter to the recipe as `--name
value`, through JSON and a shell.
"""

import dataclasses
import json
from pathlib import PurePath, PurePosixPath
from typing import Any

from albert_keras.training.runs.sagemaker_container import SageMakerContainer

# Input channel at which the volume is mounted, as in the AWS sample.
CHANNEL = "training"
# The job's container, even if this machine has another one.
CONTAINER = SageMakerContainer("/opt/ml")
MAX_CHARACTERS = 2500
_FILES = (
    *(".json", ".yaml", ".model", ".tar.gz", ".tgz", ".tar"),
    *(".csv", ".tsv", ".jsonl", ".parquet", ".txt", ".conll"),
)


def to_hyperparameters(settings: Any, settings_class: type) -> dict[str, str]:
    """Converts a recipe's settings to hyperparameters.

    Args:
        settings: Has at least the fields of `settings_class`.
        settings_class: Settings class of the recipe.

    Returns:
        Dictionary of strings, without values that are None or empty: these
        are the recipe's defaults.

    Raises:
        ValueError: If a value would be changed on its way to the job.
    """
    hyperparameters = {}
    for field in dataclasses.fields(settings_class):
        value = getattr(settings, field.name)
        if value not in (None, "", ()):
            hyperparameters[field.name] = _to_text(field.name, value)
    return hyperparameters


def _to_text(name, value):
    if isinstance(value, tuple):
        # `parse_settings` reads a list in JSON as several values.
        value = json.dumps(value) if len(value) > 1 else value[0]
    if not isinstance(value, str):
        if not isinstance(value, bool | int | float):
            raise ValueError(
                f"`{name}` must be text, a number or a boolean to reach a job. "
                f"Received: {value!r}."
            )
        return json.dumps(value)
    if "'" in value or "\n" in value or len(value) > MAX_CHARACTERS:
        raise ValueError(
            f"`{name}` must have at most {MAX_CHARACTERS:,} characters and no "
            "quotation marks or line breaks, to reach a job unchanged. "
            f"Received: {value!r}."
        )
    try:
        arriving = json.loads(value)
    except ValueError:
        return value
    if json.dumps(arriving) != value:
        raise ValueError(
            f"`{name}` {value!r} would reach the job as "
            f"{json.dumps(arriving)!r}. Pass another value."
        )
    return value


def path_in_a_channel(folder: PurePath, location: str) -> str:
    """The container's path of data that a channel copies from S3.

    Args:
        folder: Folder of the channel.
        location: Prefix in S3, or name of one file.
    """
    name = PurePosixPath(location).name
    return str(folder / name if name.endswith(_FILES) else folder)


def path_in_the_job(
    name: str, value: str, filesystem_prefix: str, folder: PurePath
) -> str:
    """The container's path of a file on the volume.

    Args:
        name: Name of the setting, for the message.
        value: A path relative to the volume, or below `filesystem_prefix`.
        filesystem_prefix: Mount point of the volume on the launching machine,
            such as `/fsx`.
        folder: Base of relative paths in the container.

    Returns:
        An absolute path. Values that are not on the volume, such as
        `hf://OWNER/NAME` or a path below `/opt/ml`, are kept.

    Raises:
        ValueError: If it is another absolute path, or leads out of the
            volume.
    """
    path = PurePosixPath(value)
    if "://" in value or path.is_relative_to(CONTAINER.root):
        return value
    if path.is_relative_to(filesystem_prefix):
        path = path.relative_to(filesystem_prefix)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"`{name}` must be on the volume: relative to it, or below "
            f"`filesystem_prefix` {filesystem_prefix}. Received: {value!r}."
        )
    return str(PurePosixPath(folder) / path)
