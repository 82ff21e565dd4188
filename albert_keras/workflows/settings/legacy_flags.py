"""Translates the flags of the AWS sample that this package replaces.

Renamed flags are accepted with a note, and booleans with a value. Flags that
have no counterpart or another meaning are refused, naming what to pass
instead.
"""

import contextlib
import dataclasses
import json
import sys
import typing
from collections.abc import Sequence
from pathlib import PurePosixPath

RENAMED = {
    "per_gpu_batch_size": "batch_size",
    "fsx_prefix": "filesystem_prefix",
}
REFUSED = {
    "log_dir": "Logs, TensorBoard and checkpoints of a run are in its "
    "--output_dir.",
    "model_dir": "The sample never read it. Models go to --output_dir.",
    "electra_tie_weights": "This package trains ALBERT, not ELECTRA. Omit the "
    "flag.",
    "skip_amp": "Mixed precision is off by default; --precision mixed_bfloat16 "
    "or mixed_float16 turns it on. Omit the flag.",
    "evaluate_frequency": "Pass --squad_frequency to pretrain.py.",
    "squad_frequency": "Pass it to pretrain.py.",
    "extra_squad_steps": "Pass --squad_frequency to pretrain.py.",
    "fast_squad": "Pass --squad_config with a smaller total_steps to "
    "pretrain.py.",
    "load_from": "Pass --pretrained: a pretrained directory, a run directory, "
    "or hf://OWNER/NAME.",
    "checkpoint_path": "Pass --pretrained with a run directory.",
    "model_type": "--pretrained determines the model. Omit the flag.",
    "model_size": "--pretrained determines the model. Omit the flag.",
    "dummy_eval": "There is no evaluation with dummy results. Omit the flag.",
}
# Values of flags that still exist.
REFUSED_VALUES = {
    ("load_from", "huggingface"): "Pass --load_from pretrained --pretrained "
    "hf://OWNER/NAME.",
    ("load_from", "huggingfacepreds"): "Pass --load_from pretrained "
    "--pretrained hf://OWNER/NAME.",
    ("optimizer", "adam"): "Pass --optimizer adamw.",
    ("model_type", "bert"): "This package trains only ALBERT.",
    ("model_type", "electra"): "This package trains only ALBERT.",
}
ENTRY_POINTS = {
    "run_pretraining.py": "recipes/pretrain.py",
    "run_squad.py": "recipes/finetune_squad.py",
}


def translate_flags(argv: Sequence[str], settings_class: type) -> list[str]:
    """Replaces the sample's flags by current ones.

    `--flag true` and `--flag false` of booleans become `--flag` and
    `--no_flag`.

    Args:
        argv: Arguments as typed, `--flag value` or `--flag=value`.
        settings_class: Dataclass of the settings; flags that it has are kept.

    Raises:
        SystemExit: If a flag has no counterpart.
    """
    fields = dataclasses.fields(settings_class)
    names = {field.name for field in fields}
    translated, folders = [], {}
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        is_flag = word.startswith("--")
        if is_flag and name in ("train_dir", "val_dir") and name not in names:
            value = value if equals else next(words, "")
            if "data_dir" in names:
                folders[name] = value
            continue  # the sample's SQuAD script required and ignored it
        if is_flag and name not in names and name in REFUSED:
            raise SystemExit(
                f"--{name} is a flag of the AWS sample. {REFUSED[name]}"
            )
        if is_flag and name not in names and RENAMED.get(name) in names:
            _say(f"--{name} is now --{RENAMED[name]}.")
            word = f"--{RENAMED[name]}{equals}{value}"
        translated.append(word)
    if folders:
        translated += ["--data_dir", _common_parent(folders)]
    booleans = _translate_booleans(_translate_values(translated), fields)
    return _translate_lists(booleans, fields)


def _common_parent(folders):
    """The corpus directory that replaces training and validation folders."""
    shown = ", ".join(f"--{name} {value}" for name, value in folders.items())
    parents = {str(PurePosixPath(value).parent) for value in folders.values()}
    if len(parents) > 1:
        raise SystemExit(
            f"{shown}: flags of the AWS sample. A corpus of prepare_corpus.py "
            "holds training and validation text. Pass it as --data_dir."
        )
    _say(
        f"{shown}: replaced by --data_dir {min(parents)}, a corpus of "
        "prepare_corpus.py, which holds both."
    )
    return min(parents)


def _translate_values(argv):
    """Refuses values of the sample and translates its scripts' names."""
    name = ""
    for word in argv:
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or equals:
            value = value if equals else word
            if (name, value) in REFUSED_VALUES:
                raise SystemExit(
                    f"--{name} {value} is a flag of the AWS sample. "
                    f"{REFUSED_VALUES[name, value]}"
                )
            script = PurePosixPath(value).name
            if name == "entry_point" and script in ENTRY_POINTS:
                _say(f"{value} is now {ENTRY_POINTS[script]}.")
                word = word.replace(value, ENTRY_POINTS[script])
        yield word


def _translate_booleans(argv, fields):
    """Replaces `--name true` by `--name`, and `--name false` by `--no_name`.

    SageMaker passes every hyperparameter with a value, and the AWS sample's
    boolean flags had one.
    """
    names = {field.name for field in fields if field.type is bool}
    translated: list[str] = []
    for argument in argv:
        flag, equals, value = argument.partition("=")
        if not equals:
            flag, value = translated[-1] if translated else "", argument
        name, value = flag.removeprefix("--"), value.lower()
        if name in names and value in ("true", "false"):
            argument = f"--{name}" if value == "true" else f"--no_{name}"
            if not equals:
                translated.pop()
        translated.append(argument)
    return translated


def _translate_lists(argv, fields):
    """Replaces `--name '["a", "b"]'` by `--name a b`.

    SageMaker passes a hyperparameter as one value.
    """
    names = {f.name for f in fields if typing.get_origin(f.type) is tuple}
    translated: list[str] = []
    for argument in argv:
        flag = translated[-1] if translated else ""
        values = None
        if flag.removeprefix("--") in names and argument.startswith("["):
            with contextlib.suppress(ValueError):
                values = json.loads(argument)
        if isinstance(values, list) and all(isinstance(v, str) for v in values):
            translated += values
        else:
            translated.append(argument)
    return translated


def _say(text):
    print(f"Note: {text}", file=sys.stderr)
