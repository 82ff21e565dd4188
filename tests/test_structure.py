"""Imports run one way, files stay short, and importing the package is light."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import albert_keras
from albert_keras.keras_registry import CLASSES
from tests.processes import run_python

PACKAGE = Path(albert_keras.__file__).parent

# Rank of each part: a module imports from its own part and from lower ranks.
RANKS = {
    "config": 0,
    "files": 0,
    "keras_registry": 0,
    "problems": 0,
    "progress_bars": 0,
    "version": 0,
    "kernels": 0.2,
    "metrics": 0.4,
    "focal_cross_entropy": 0.5,
    "losses": 0.5,
    "layers": 1,
    "optimizers": 1,
    "training": 2,
    "launching": 2.5,
    "conversion": 2.5,
    "tokenization": 2.7,
    "decoding": 2.8,
    "data": 3,
    "text_tasks": 3.2,
    "exporting": 3.3,
    "serving": 3.4,
    "models": 3.5,
    "evaluation": 4,
    "reporting": 4.5,
    "workflows": 5,
    "__init__": 6,
}
# The imports of a process that reads text or prepares a corpus.
LIGHT = """
import sys
import albert_keras
import albert_keras.data.corpus.encode_shard
import albert_keras.data.corpus.token_store
import albert_keras.data.corpus.workers
heavy = {"jax", "keras", "tensorflow", "torch"} & set(sys.modules)
assert not heavy, heavy
"""
# Imports the package after TensorFlow: `seconds` is the time of the package
# alone, and `optional` lists the imported modules that it does not require.
PROGRAM = """
import json, sys, time
import keras, tensorflow
before, start = set(sys.modules), time.perf_counter()
import albert_keras
seconds = time.perf_counter() - start
needed = {"albert_keras", "lazy_loader", "safetensors", "sentencepiece"}
roots = {name.split(".")[0] for name in set(sys.modules) - before}
optional = sorted(roots - needed - set(sys.stdlib_module_names))
"""
TIME_OF_ITS_OWN = 2.0  # seconds; 0.07 were measured
NO_TENSORFLOW = ("layers", "optimizers", "models", "losses", "metrics", "data")


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


MODULES = sorted(PACKAGE.rglob("*.py"))
ROOT = PACKAGE.parent
RECIPES = {"recipes", *(path.stem for path in (ROOT / "recipes").glob("*.py"))}
MAX_MODULES = 16


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_module_imports_only_from_lower_ranks(path):
    part = part_of(path)
    for module in imported_modules(path):
        if not module.startswith("albert_keras") or part == "__init__":
            continue
        assert "." in module, f"{path} imports the package root"
        imported = module.split(".")[1]
        lower = RANKS[imported] < RANKS[part]
        assert lower or imported == part, f"{path} imports {module}"


@pytest.mark.parametrize("part", NO_TENSORFLOW)
def test_parts_that_run_on_every_backend_do_not_import_tensorflow(part):
    for path in MODULES:
        if part_of(path) == part:
            roots = {name.split(".")[0] for name in imported_modules(path)}
            assert "tensorflow" not in roots, path


def test_no_recipe_imports_a_recipe_or_a_module_beside_it():
    for path in (ROOT / "recipes").glob("*.py"):
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert not roots & RECIPES, path


def test_a_folder_of_the_package_holds_at_most_sixteen_modules():
    for folder in {path.parent for path in MODULES}:
        modules = set(folder.glob("*.py")) - {folder / "__init__.py"}
        assert len(modules) <= MAX_MODULES, folder


def test_nothing_in_the_package_imports_the_recipes():
    for path in MODULES:
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert not roots & RECIPES, path


ALL_FILES = sorted(
    path
    for folder in ("albert_keras", "recipes", "benchmarks", "docker", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
MAX_LINES = 400
MAX_BODY = 60


def long_functions(source):
    """Yields name and length of each function whose body is too long.

    The docstring does not count.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            if length > MAX_BODY:
                yield node.name, length


@pytest.mark.parametrize(
    "path", ALL_FILES, ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_file_and_its_functions_are_read_without_scrolling_far(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_LINES
    assert list(long_functions(source)) == []


def test_a_long_function_would_be_found():
    body = "    pass\n" * (MAX_BODY + 1)
    assert list(long_functions(f"def long():\n    'Doc.'\n{body}")) == [
        ("long", MAX_BODY + 1)
    ]
    assert not list(long_functions(f"def fits():\n{body[9:]}"))


@pytest.mark.process
def test_a_process_that_reads_text_imports_no_keras():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


def test_nothing_writes_to_the_modules_of_the_interpreter():
    for path in MODULES:
        assert not re.search(r"sys\.modules\W", path.read_text()), path


def test_keras_finds_every_class_that_is_registered():
    importlib.import_module("albert_keras.focal_cross_entropy")
    importlib.import_module("albert_keras.models")
    importlib.import_module("albert_keras.optimizers")
    registered = {
        name.removeprefix("albert_keras>"): found
        for name, found in keras.saving.get_custom_objects().items()
        if name.startswith("albert_keras>")
    }
    assert set(registered) == set(CLASSES)
    for name, found in registered.items():
        assert found.__module__ == f"albert_keras.{CLASSES[name]}"


@pytest.mark.process
def test_importing_the_package_loads_no_optional_part_and_is_quick():
    program = f"{PROGRAM}\nprint(json.dumps([optional, seconds]))"
    optional, seconds = json.loads(run_python("-c", program))
    assert optional == []
    assert seconds < TIME_OF_ITS_OWN
