"""Finds and runs the commands and Python code in the documents."""

import importlib
import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Flags added to the shown commands, so that they take seconds.
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
# Not run here: parsed by `commands`, a target of the Makefile, or an
# environment variable.
ELSEWHERE = ("horovodrun", "make", "export")
# Runs until it is stopped: tests/serving starts and asks it.
SERVER = "recipes/serve.py"
# Output of the demonstration.
OUTPUT = re.compile(r"Update \d|Returns a \[MASK\]|▁")
# Prefixes of a script: environment variables and launchers of ranks.
_LAUNCHERS = re.compile(
    r"^((?:[A-Z_]+=\S+ )*)(?:(?:horovodrun|mpirun) .*?)?python "
)


def code_lines(path):
    """Lines of indented code, with continuation lines joined."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = "\n".join(lines for lines, _, _ in _parts(text))
    return [
        line.strip() for line in shown.splitlines() if line.startswith("    ")
    ]


def commands(path):
    """Script and arguments of each `python recipes/NAME.py ...`."""
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
    """(text before, language, code) of each fenced block."""
    *parts, rest = re.split(r"^```(\w*)\n(.*?)^```$", text, flags=re.S | re.M)
    return [*zip(*(iter(parts),) * 3, strict=True), (rest, "", "")]


def run_document(path, recipe):
    """Runs the commands and Python code of a tutorial in order.

    Args:
        path: A Markdown file.
        recipe: The fixture `recipe`.

    Returns:
        The names that the Python code defined.
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
    """Runs a line of code, unless other tests check it."""
    words = shlex.split(line)
    if words[:2] == ["python", SERVER]:
        return
    if words[0] == "python" and words[1].startswith("recipes/"):
        name = Path(words[1]).stem
        smaller = SMALLER.get(name, "").split()
        if "--vocabulary" in words:
            smaller = smaller[2:]  # its size is given
        if "predict" in words or "evaluate" in words:
            smaller = smaller[:2]
        recipe(name).main([*words[2:], *smaller])
    elif words[:2] == ["python", "-m"]:
        importlib.import_module(words[2]).main(words[3:])
    elif words[0] == "tar":
        subprocess.run(words, check=True)
    elif words[0] not in ELSEWHERE and not OUTPUT.match(line):
        raise AssertionError(f"{line!r} is shown and does not run.")
