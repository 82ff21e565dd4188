"""The flags of the AWS sample that this package succeeds, by today's names.

What was only renamed is taken, and said; booleans are taken with their values.
What means something else today, or nothing, is refused with what to pass
instead.
"""

import dataclasses
import sys
from pathlib import PurePosixPath

RENAMED = {
    "per_gpu_batch_size": "batch_size",
    "fsx_prefix": "filesystem_prefix",
}
REFUSED = {
    "log_dir": "Logs, TensorBoard and checkpoints of a run are in its "
    "--output_dir.",
    "model_dir": "The sample never read it. Models go to --output_dir.",
    "electra_tie_weights": "This package trains ALBERT, not ELECTRA. Leave it "
    "out.",
    "skip_amp": "Mixed precision is off unless --precision mixed_bfloat16 or "
    "mixed_float16 asks for it. Leave the flag out.",
    "evaluate_frequency": "Pass --squad_frequency to pretrain.py.",
    "squad_frequency": "Pass it to pretrain.py.",
    "extra_squad_steps": "Pass --squad_frequency to pretrain.py.",
    "fast_squad": "Pass --squad_config with a smaller total_steps to "
    "pretrain.py.",
    "load_from": "Pass --pretrained: a pretrained directory, a run's "
    "directory, or hf://OWNER/NAME.",
    "checkpoint_path": "Pass --pretrained, a run's directory.",
    "model_type": "The model comes with --pretrained. Leave it out.",
    "model_size": "The model comes with --pretrained. Leave it out.",
    "dummy_eval": "There is no evaluation with made-up results. Leave it out.",
}
# Values of flags that exist today.
REFUSED_VALUES = {
    ("load_from", "huggingface"): "Pass --load_from pretrained --pretrained "
    "hf://OWNER/NAME.",
    ("load_from", "huggingfacepreds"): "Pass --load_from pretrained "
    "--pretrained hf://OWNER/NAME.",
    ("optimizer", "adam"): "Pass --optimizer adamw.",
    ("model_type", "bert"): "This package trains ALBERT alone.",
    ("model_type", "electra"): "This package trains ALBERT alone.",
}
ENTRY_POINTS = {
    "run_pretraining.py": "recipes/pretrain.py",
    "run_squad.py": "recipes/finetune_squad.py",
}


def todays_flags(argv, settings_class):
    """Arguments in which the sample's flags have today's names.

    A boolean with a value becomes today's switch.

    Args:
        argv: Arguments as typed, `--flag value` or `--flag=value`.
        settings_class: Dataclass of the settings; its own fields are left as
            they are.

    Raises:
        SystemExit: Where a flag has no counterpart.
    """
    fields = dataclasses.fields(settings_class)
    names = {field.name for field in fields}
    todays, folders = [], {}
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        is_flag = word.startswith("--")
        if is_flag and name in ("train_dir", "val_dir") and name not in names:
            value = value if equals else next(words, "")
            if "data_dir" in names:
                folders[name] = value
            continue  # the sample required it of SQuAD, too, and ignored it
        if is_flag and name not in names and name in REFUSED:
            raise SystemExit(f"--{name} is of the AWS sample. {REFUSED[name]}")
        if is_flag and name not in names and RENAMED.get(name) in names:
            _say(f"--{name} is --{RENAMED[name]} today.")
            word = f"--{RENAMED[name]}{equals}{value}"
        todays.append(word)
    if folders:
        todays += ["--data_dir", _common_parent(folders)]
    return _switches(_todays_values(todays), fields)


def _common_parent(folders):
    """The corpus that stands for a training and a validation folder."""
    shown = ", ".join(f"--{name} {value}" for name, value in folders.items())
    parents = {str(PurePosixPath(value).parent) for value in folders.values()}
    if len(parents) > 1:
        raise SystemExit(
            f"{shown}: of the AWS sample. A corpus made by prepare_corpus.py "
            "holds training and validation text. Pass it as --data_dir."
        )
    _say(
        f"{shown}: taken as --data_dir {min(parents)}, a corpus made by "
        "prepare_corpus.py, which holds both."
    )
    return min(parents)


def _todays_values(argv):
    """Refuses values, and renames the scripts, of the sample."""
    name = ""
    for word in argv:
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or equals:
            value = value if equals else word
            if (name, value) in REFUSED_VALUES:
                raise SystemExit(
                    f"--{name} {value} is of the AWS sample. "
                    f"{REFUSED_VALUES[name, value]}"
                )
            script = PurePosixPath(value).name
            if name == "entry_point" and script in ENTRY_POINTS:
                _say(f"{value} is {ENTRY_POINTS[script]} today.")
                word = word.replace(value, ENTRY_POINTS[script])
        yield word


def _switches(argv, fields):
    """`--name true` as `--name`, and `--name false` as `--no_name`.

    SageMaker hands every hyperparameter over with a value, and the AWS
    sample's flags had one.
    """
    names = {field.name for field in fields if field.type is bool}
    switched = []
    for argument in argv:
        flag, equals, value = argument.partition("=")
        if not equals:
            flag, value = switched[-1] if switched else "", argument
        name, value = flag.removeprefix("--"), value.lower()
        if name in names and value in ("true", "false"):
            argument = f"--{name}" if value == "true" else f"--no_{name}"
            if not equals:
                switched.pop()
        switched.append(argument)
    return switched


def _say(text):
    print(f"Note: {text}", file=sys.stderr)
