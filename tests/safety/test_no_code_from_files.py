"""Loaded files are data: nothing in the sources runs code from them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("albert_keras", "recipes", "benchmarks", "docker")
    for path in (ROOT / folder).rglob("*.py")
)
# These run code in the data, or can.
FORBIDDEN_MODULES = frozenset(
    "pickle cPickle _pickle dill cloudpickle joblib marshal shelve jsonpickle "
    "imp runpy".split()
)
FORBIDDEN_NAMES = frozenset("eval exec compile __import__".split())
FORBIDDEN_CALLS = frozenset(
    "yaml.load yaml.unsafe_load yaml.full_load torch.load joblib.load "
    "pandas.read_pickle os.system os.popen tar.extractall tar.extract "
    "tarfile.extractall shutil.unpack_archive keras.config."
    "enable_unsafe_deserialization".split()
)


def faults(source):
    """Yields the calls and imports in a source that can run code from data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        for name in names:
            if name.split(".")[0] in FORBIDDEN_MODULES:
                yield f"line {node.lineno}: import of {name}"
        if isinstance(node, ast.Call):
            yield from call_faults(node)


def call_faults(node):
    name = ast.unparse(node.func)
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if name in FORBIDDEN_NAMES | FORBIDDEN_CALLS:
        yield f"line {node.lineno}: {name}"
    if name in ("np.load", "numpy.load") and (
        keywords.get("allow_pickle") != "False"
    ):
        yield f"line {node.lineno}: {name} without allow_pickle=False"
    if keywords.get("shell") == "True":
        yield f"line {node.lineno}: {name} through a shell"
    if keywords.get("safe_mode") == "False":
        yield f"line {node.lineno}: {name} without safe_mode"


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_runs_code_that_is_in_data(path):
    assert list(faults(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(file)",
        "subprocess.run(command, shell=True)",
        "keras.saving.load_model(path, safe_mode=False)",
    ],
)
def test_each_of_these_would_be_found(source):
    assert len(list(faults(source))) == 1
