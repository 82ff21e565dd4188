"""Reads a recipe's settings: flags, a YAML file, defaults.

Each recipe describes its settings as a frozen dataclass with a sentence under
each field; flags, help and the keys of the file are the fields.
"""

import contextlib
import dataclasses
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tyro
import yaml

from albert_keras.files.storage_errors import StorageError
from albert_keras.files.text_files import read_text
from albert_keras.training.runs.sagemaker_container import SageMakerContainer
from albert_keras.workflows.settings.legacy_flags import translate_flags

Settings = TypeVar("Settings")

# Settings that have another name than the library's argument.
FIELD_OF_ARGUMENT = {
    "attention_dropout": "attention_probs_dropout_prob",
    "decay": "layer_wise_learning_rate_decay",
    "global_clipnorm": "max_grad_norm",
    "hidden_dropout": "hidden_dropout_prob",
    "max_predictions": "max_predictions_per_seq",
    "micro_batch_size": "batch_size",
    "optimizer_state": "load_optimizer_state",
    "peak_learning_rate": "learning_rate",
    "sequence_length": "max_seq_length",
    "short_sequence_prob": "short_seq_prob",
}
_ARGUMENT = re.compile(r"""`(\w+)(?:=["']?([\w.-]+)["']?)?`""")


def run_recipe(
    name: str,
    function: Callable[[Any], Any],
    settings_class: type,
    argv: Sequence[str] | None = None,
) -> Any:
    """Runs a recipe; a `ValueError` ends it with a one-line message.

    Args:
        name: The recipe's name, put before the message.
        function: `settings -> result`.
        settings_class, argv: See `parse_settings`.

    Returns:
        What the function returns. In a SageMaker job, an error becomes the
        job's failure reason.
    """
    settings = parse_settings(settings_class, argv)
    container = SageMakerContainer()

    def to_message(text):
        return f"{name}: {name_flags(str(text), settings_class)}"

    try:
        with _warnings_as(to_message):
            return function(settings)
    except ValueError as error:
        message = to_message(error)
        container.report_failure(message)
        if isinstance(error, StorageError):
            # Only one rank writes: the others would wait for it.
            from albert_keras.training import distributed

            distributed.end_job(message)
        raise SystemExit(message) from error
    except Exception as error:
        container.report_failure(f"{name}: {type(error).__name__}: {error}")
        raise


@contextlib.contextmanager
def _warnings_as(to_message):
    """Changes the text of this package's warnings, logged or not."""
    make_record = logging.getLogRecordFactory()

    def make(name, level, path, line, message, args, *more, **kwargs):
        if name.startswith("albert_keras"):
            message, args = to_message(message % args if args else message), ()
        return make_record(
            name, level, path, line, message, args, *more, **kwargs
        )

    format_warning = warnings.formatwarning

    def format(message, category, *args, **kwargs):
        if category is UserWarning:
            return f"{to_message(message)}\n"
        return format_warning(message, category, *args, **kwargs)

    logging.setLogRecordFactory(make)
    warnings.formatwarning = format
    try:
        yield
    finally:
        logging.setLogRecordFactory(make_record)
        warnings.formatwarning = format_warning


def name_flags(message: str, settings_class: type) -> str:
    """Replaces the arguments that a library error names by a recipe's flags.

    `` `overwrite=True` `` becomes `--overwrite`, `` `cache=False` ``
    `--no_cache` and `` `seed` `` `--seed`, if the settings have the field.
    """
    fields = {field.name for field in dataclasses.fields(settings_class)}

    def flag(match):
        name, value = match.groups()
        if name not in fields:
            name = FIELD_OF_ARGUMENT.get(name)
        if name not in fields:
            return match[0]
        if value == "False":
            return f"--no_{name}"
        return f"--{name}" if value in (None, "True") else f"--{name} {value}"

    return _ARGUMENT.sub(flag, message)


def parse_settings(
    settings_class: type, argv: Sequence[str] | None = None
) -> Any:
    """Parses the settings of a recipe.

    Args:
        settings_class: A dataclass.
        argv: Arguments; None takes those of the process. `--config FILE`
            names a YAML file of fields. Environment variables override it (if
            the dataclass names some in `ENVIRONMENT`), and flags override
            both. Flags of the AWS sample are translated to current ones.

    Returns:
        An instance. Prints a message and exits if arguments are invalid.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    path = take_flag(argv, "config")
    from_file = _read_config(path, settings_class) if path else []
    from_environment = _read_environment(settings_class)
    argv = translate_flags(argv, settings_class)
    return tyro.cli(
        settings_class,
        args=[*from_file, *from_environment, *argv],
        use_underscores=True,
    )


def read_settings(path: str, settings: Settings) -> Settings:
    """Replaces fields of `settings` by those of a YAML file.

    Prints a message and exits if the file is invalid.
    """
    return tyro.cli(
        type(settings),
        default=settings,
        args=_read_config(path, type(settings)),
        use_underscores=True,
    )


def take_flag(argv: list[str], flag: str) -> str | None:
    """Removes `--flag VALUE` from the arguments and returns the value.

    Returns None if it is not there. Exits with a message without a value.
    """
    for index, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name == f"--{flag}":
            if not equals and index + 1 == len(argv):
                what = " the path of a YAML file" if flag == "config" else ""
                raise SystemExit(f"--{flag} needs{what or ' a value'}.")
            value = value if equals else argv.pop(index + 1)
            del argv[index]
            return value
    return None


def _read_environment(settings_class):
    """Flags for the fields that environment variables set."""
    flags = []
    for name, variable in getattr(settings_class, "ENVIRONMENT", {}).items():
        if os.environ.get(variable):
            flags += [f"--{name}", os.environ[variable]]
    return flags


def _read_config(path, settings_class):
    """Flags for the fields of a YAML file."""
    try:
        values = yaml.safe_load(read_text(path)) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SystemExit(f"--config {path} cannot be read: {error}") from error
    known = {field.name for field in dataclasses.fields(settings_class)}
    if not isinstance(values, dict) or set(values) - known:
        raise SystemExit(
            f"--config {path} must hold fields of these settings: "
            f"{', '.join(sorted(known))}. Received: {values!r}."
        )
    flags = []
    for name, value in values.items():
        if isinstance(value, bool):
            flags.append(f"--{name}" if value else f"--no_{name}")
        elif isinstance(value, list):
            if None in value:
                raise SystemExit(
                    f"--config {path}: {name!r} must be a list without empty "
                    f"items. Received: {value!r}."
                )
            flags += [f"--{name}", *map(str, value)]
        elif value is not None:
            flags += [f"--{name}", str(value)]
    try:
        "".join(flags).encode()
    except UnicodeEncodeError as error:
        raise SystemExit(f"--config {path} is not text: {error}") from error
    return flags
