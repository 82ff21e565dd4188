"""What documents show: commands of the recipes, and Python."""

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
# What else may stand before a script: ranks, and variables of one command.
_LAUNCHERS = re.compile(
    r"^((?:[A-Z_]+=\S+ )*)(?:(?:horovodrun|mpirun) .*?)?python "
)


def code_lines(path):
    """Lines of indented code, continued ones put together."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [
        line.strip() for line in text.splitlines() if line.startswith("    ")
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
    text = path.read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


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
    parts = re.split(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.M)
    for number, part in enumerate(parts):
        if number % 2:
            exec(compile(part, str(path), "exec"), names)
            continue
        for line in part.splitlines():
            if line.startswith("    ") and line.strip():
                _run(line.strip(), recipe)
    return names


def _run(line, recipe):
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
        module = __import__(words[2], fromlist=["main"])
        module.main(words[3:])
    elif words[0] == "tar":
        subprocess.run(words, check=True)
    else:
        raise AssertionError(f"A tutorial shows what is not run: {line}")
