"""Collects English text from the documentation in a Python installation.

    python recipes/collect_python_docs.py --output_file demo/python_docs.txt

Reads the language reference (`pydoc_data.topics`) and the docstrings of the
standard library and the installed packages, from their source without running
it: some megabytes of real prose for a demonstration without downloads. Writes
one paragraph per line and a blank line between documents, without code
examples. Takes half a minute.
"""

import ast
import dataclasses
import inspect
import re
import sysconfig
from pathlib import Path
from pydoc_data.topics import topics

from tqdm import tqdm

from albert_keras.files.atomic_write import atomic_file
from albert_keras.workflows.parse_settings import run_recipe

_CODE = re.compile(r"^(>>>|\.\.\.|\$ |@|#|```|[-=+|~^*`]{3,}|\.\. |:\w)")
_SKIPPED = ("test", "tests", "testing", "_vendor", "idlelib", "lib2to3")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Collects English text from the documentation in a Python installation."""

    output_file: str = "demo/python_docs.txt"
    """Text file to write."""

    max_megabytes: float = 20.0
    """Maximum size of the text in megabytes."""

    min_characters: int = 200
    """Minimum length of a document."""


def main(argv=None):
    return run_recipe("collect_python_docs", collect, Settings, argv)


def collect(settings):
    """Writes the text file."""
    limit = int(settings.max_megabytes * 1e6)
    seen, size = set(), 0
    with (
        atomic_file(settings.output_file, encoding="utf-8") as file,
        tqdm(unit="B", unit_scale=True, desc="collect") as bar,
    ):
        for text in documents():
            document = "\n".join(paragraphs(text))
            if len(document) < settings.min_characters or document in seen:
                continue
            seen.add(document)
            file.write(document + "\n\n")
            size += len(document)
            bar.update(len(document))
            if size >= limit:
                break
    print(
        f"Wrote {size / 1e6:.1f} MB, {len(seen):,} documents, to "
        f"{settings.output_file}."
    )


def documents():
    """Yields the language reference, then all docstrings in order of path."""
    yield from (topics[name] for name in sorted(topics))
    paths = sysconfig.get_paths()
    for root in (Path(paths["stdlib"]), Path(paths["purelib"])):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).parts
            if "site-packages" in parts or set(parts) & set(_SKIPPED):
                continue
            yield from docstrings(path)


def docstrings(path):
    """Yields the docstrings of a source file; none if it does not parse."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield inspect.cleandoc(text)


def paragraphs(text):
    """Yields the prose paragraphs of a docstring, each on one line."""
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.splitlines()]
        words = " ".join(lines)
        letters = sum(c.isalpha() or c.isspace() for c in words)
        if any(_CODE.match(line) for line in lines):
            continue
        if len(words.split()) >= 4 and letters > 0.85 * len(words):
            yield " ".join(words.split())


if __name__ == "__main__":
    main()
