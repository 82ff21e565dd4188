"""A recipe's settings on the way into the container of a training job.

SageMaker's MPI driver hands each hyperparameter to the recipe as `--name
value`, after it went through JSON and through a shell.
"""

import dataclasses
import json
from pathlib import PurePosixPath
from typing import Any

from albert_keras.training.runs.sagemaker_container import SageMakerContainer

# The channel that the AWS sample mounted its volume at.
CHANNEL = "training"
# The container of the job, whatever this machine has at /opt/ml.
CONTAINER = SageMakerContainer("/opt/ml")
MAX_CHARACTERS = 2500
_FILES = (".json", ".yaml", ".model", ".tar.gz", ".tgz", ".tar")


def to_hyperparameters(settings: Any, settings_class: type) -> dict[str, str]:
    """The fields of a recipe's settings as hyperparameters.

    Args:
        settings: Has at least the fields of `settings_class`.
        settings_class: Dataclass that the recipe parses its flags with.

    Returns:
        Dictionary of strings. What is None or empty is left out, and so has
        the recipe's default, which is the same.

    Raises:
        ValueError: If a value would not arrive as it was typed.
    """
    hyperparameters = {}
    for field in dataclasses.fields(settings_class):
        value = getattr(settings, field.name)
        if value not in (None, "", ()):
            hyperparameters[field.name] = _to_text(field.name, value)
    return hyperparameters


def _to_text(name, value):
    if not isinstance(value, str):
        if not isinstance(value, bool | int | float):
            raise ValueError(
                f"--{name} cannot be handed to a job. Received: {value!r}."
            )
        return json.dumps(value)
    if "'" in value or "\n" in value or len(value) > MAX_CHARACTERS:
        raise ValueError(
            f"--{name} must do without quotation marks and line breaks, in at "
            f"most {MAX_CHARACTERS:,} characters, to reach a job unharmed. "
            f"Received: {value!r}."
        )
    try:
        arrives = json.loads(value)
    except ValueError:
        return value
    if json.dumps(arrives) != value:
        raise ValueError(
            f"--{name} {value!r} would reach the job as "
            f"{json.dumps(arrives)!r}. Pass something else."
        )
    return value


def path_in_a_channel(folder, location):
    """Where the container finds what a channel copies from S3.

    Args:
        folder: Of the channel.
        location: Prefix in S3, or the name of one file.
    """
    name = PurePosixPath(location).name
    return str(folder / name if name.endswith(_FILES) else folder)


def path_in_the_job(flag, value, filesystem_prefix, folder):
    """Where the container finds a path of the volume.

    Args:
        flag: The flag it came with, for the message.
        value: A path relative to the volume, or below the place where the
            volume is mounted on the machine of whoever launches.
        filesystem_prefix: That place, such as `/fsx`.
        folder: What relative paths are relative to in the container.

    Returns:
        An absolute path. What is not a path of the volume, `hf://OWNER/NAME`
        or a path below `/opt/ml`, stays as it is.

    Raises:
        ValueError: If it is an absolute path elsewhere, or leads out of the
            volume.
    """
    path = PurePosixPath(value)
    if "://" in value or path.is_relative_to(CONTAINER.root):
        return value
    if path.is_relative_to(filesystem_prefix):
        path = path.relative_to(filesystem_prefix)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"--{flag} must be on the volume: relative to it, or below "
            f"--filesystem_prefix {filesystem_prefix}. Received: {value!r}."
        )
    return str(PurePosixPath(folder) / path)
