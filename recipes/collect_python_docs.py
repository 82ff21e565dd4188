"""Collects English text from the documentation in a Python installation.

    python recipes/collect_python_docs.py --output_file demo/python_docs.txt

Reads the language reference (`pydoc_data.topics`) and the docstrings of the
standard library and the installed packages, from their source without running
it: some megabytes of real prose for a demonstration without downloads. Writes
one paragraph per line and a blank line between documents, without code
examples. Takes half a minute.

With `--labelled_file`, documents of the largest packages go into a CSV file
with the name of their package as the label, and not into the text: a task to
measure what pretraining on the text is worth (benchmarks/transfer.py).
"""

import ast
import collections
import csv
import dataclasses
import inspect
import re
import sysconfig
import zlib
from pathlib import Path
from pydoc_data.topics import topics

from tqdm import tqdm

from albert_keras.files.atomic_write import atomic_file
from albert_keras.workflows.settings.parse_settings import run_recipe

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

    labelled_file: str | None = None
    """CSV file for labelled documents; none by default."""

    labelled_documents: int = 310
    """Labelled documents of each package that has twice as many."""


def main(argv=None):
    return run_recipe("collect_python_docs", collect, Settings, argv)


def collect(settings):
    """Writes the text file, and the file of labelled documents if asked."""
    limit = settings.max_megabytes * 1e6
    found = find_documents(
        settings.min_characters, None if settings.labelled_file else limit
    )
    labelled = {}
    if settings.labelled_file:
        labelled = choose_labelled(found, settings.labelled_documents)
        write_labelled(settings.labelled_file, labelled)
    size = count = 0
    with atomic_file(settings.output_file, encoding="utf-8") as file:
        for document in found:
            if document in labelled:
                continue
            file.write(document + "\n\n")
            size, count = size + len(document), count + 1
            if size >= limit:
                break
    print(
        f"Wrote {size / 1e6:.1f} MB, {count:,} documents, to "
        f"{settings.output_file}."
    )


def find_documents(min_characters, limit):
    """Returns the package, or None, of each distinct document, in order.

    Stops after `limit` characters, unless it is None.
    """
    found, size = {}, 0
    with tqdm(unit="B", unit_scale=True, desc="collect") as bar:
        for package, text in documents():
            document = "\n".join(paragraphs(text))
            if len(document) < min_characters or document in found:
                continue
            found[document] = package
            size += len(document)
            bar.update(len(document))
            if limit is not None and size >= limit:
                break
    return found


def choose_labelled(found, count):
    """Returns the package of `count` documents of each large package.

    The choice depends on the documents alone, not on their order.
    """
    by_package = collections.defaultdict(list)
    for document, package in found.items():
        by_package[package].append(document)
    return {
        document: package
        for package, candidates in sorted(by_package.items(), key=str)
        if package is not None and len(candidates) >= 2 * count
        for document in sorted(candidates, key=_checksum)[:count]
    }


def _checksum(document):
    return zlib.crc32(document.encode())


def write_labelled(path, labelled):
    """Writes a CSV file with the columns `text` and `label`."""
    if not labelled:
        raise ValueError(
            "No installed package has enough documents for `labelled_file`. "
            "Pass a lower `labelled_documents`, or install larger packages."
        )
    with atomic_file(path, encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(labelled.items())
    print(
        f"Wrote {len(labelled):,} documents of "
        f"{len(set(labelled.values()))} packages to {path}."
    )


def documents():
    """Yields (package, text): the language reference, then docstrings.

    In order of path; the package is None for the standard library.
    """
    yield from ((None, topics[name]) for name in sorted(topics))
    paths = sysconfig.get_paths()
    packages = Path(paths["purelib"])
    for root in (Path(paths["stdlib"]), packages):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).parts
            if "site-packages" in parts or set(parts) & set(_SKIPPED):
                continue
            package = parts[0] if root == packages else None
            yield from ((package, text) for text in docstrings(path))


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
