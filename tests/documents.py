"""What documents show: commands of the recipes, and Python."""

import importlib
import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
# So that commands take seconds, as they are shown but for these flags.
SMALLER = {
    "prepare_corpus": "--vocabulary_size 150 --workers 1",
    "inspect_corpus": "--batches 2",
    "pretrain": (
        "--model_size tiny --total_steps 2 --warmup_steps 0 "
        "--max_seq_length 32 --batch_size 4 --gradient_accumulation_steps 2 "
        "--validation_steps 1 --validation_frequency 100"
    ),
    "finetune_squad": "--max_seq_length 128 --total_steps 2 --batch_size 4",
}
# Parsed by `commands`, or a target of the Makefile; the environment is the
# test's.
ELSEWHERE = ("horovodrun", "make", "export")
# What the demonstration prints.
OUTPUT = re.compile(r"Update \d|Returns a \[MASK\]|▁")
# What else may stand before a script: ranks, and variables of one command.
_LAUNCHERS = re.compile(
    r"^((?:[A-Z_]+=\S+ )*)(?:(?:horovodrun|mpirun) .*?)?python "
)


def code_lines(path):
    """Lines of indented code, continued ones put together."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = "\n".join(lines for lines, _, _ in _parts(text))
    return [
        line.strip() for line in shown.splitlines() if line.startswith("    ")
    ]


def commands(path):
    """Arguments of each `python recipes/NAME.py ...`, the script first."""
    found = []
    for line in code_lines(path):
        launched = _LAUNCHERS.match(line)
        if launched and line[launched.end() :].startswith("recipes/"):
            found.append(shlex.split(line[launched.end() :], comments=True))
    return found


def python_blocks(path):
    """Fenced blocks of Python."""
    parts = _parts(path.read_text(encoding="utf-8"))
    return [block for _, language, block in parts if language == "python"]


def _parts(text):
    """What is before each fenced block, its language, and the block."""
    *parts, rest = re.split(r"^```(\w*)\n(.*?)^```$", text, flags=re.S | re.M)
    return [*zip(*(iter(parts),) * 3, strict=True), (rest, "", "")]


def run_document(path, recipe):
    """Runs commands and Python of a tutorial in the order shown.

    Args:
        path: A Markdown file.
        recipe: The fixture that loads recipes.

    Returns:
        The names that the Python defined.
    """
    names = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for lines, language, block in _parts(text):
        for line in lines.splitlines():
            if line.startswith("    ") and line.strip():
                _run(line.strip(), recipe)
        if language == "python":
            exec(compile(block, str(path), "exec"), names)
    return names


def _run(line, recipe):
    """Runs a line of code; what cannot be run here is looked at elsewhere."""
    words = shlex.split(line)
    if words[0] == "python" and words[1].startswith("recipes/"):
        name = Path(words[1]).stem
        smaller = SMALLER.get(name, "").split()
        if "--vocabulary" in words:
            smaller = smaller[2:]  # it has its size
        if "predict" in words or "evaluate" in words:
            smaller = smaller[:2]
        recipe(name).main([*words[2:], *smaller])
    elif words[:2] == ["python", "-m"]:
        importlib.import_module(words[2]).main(words[3:])
    elif words[0] == "tar":
        subprocess.run(words, check=True)
    elif words[0] not in ELSEWHERE and not OUTPUT.match(line):
        raise AssertionError(f"{line!r} is shown and does not run.")
