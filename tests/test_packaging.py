"""Wheel and source archive, tried in an environment of their own."""

import email
import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import albert_keras
from tests.test_structure import PROGRAM, TIME_OF_ITS_OWN

pytestmark = [pytest.mark.slow, pytest.mark.process]
ROOT = Path(__file__).parents[1]
# Generated files: in every folder, and at the top of a checkout.
_GENERATED = shutil.ignore_patterns(
    *".git .venv* .*cache .hypothesis .coverage* __pycache__ *.egg-info".split()
)
_GENERATED_AT_THE_TOP = {"build", "dist", "demo", "runs", "site"}


def ignore_generated(folder, names):
    """Names that `shutil.copytree` leaves out of a copy of the checkout."""
    ignored = _GENERATED(folder, names)
    if Path(folder) == ROOT:
        ignored |= set(names) & _GENERATED_AT_THE_TOP
    return ignored


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with the wheel and the source archive that it is built from."""
    directory = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, directory / "checkout", ignore=ignore_generated)
    build = "-m build --no-isolation --outdir".split()
    run(sys.executable, *build, directory, directory / "checkout")
    return directory


@pytest.fixture(scope="module")
def python(built, tmp_path_factory):
    """Python of an environment that has the wheel.

    Without a network, the wheel's requirements come from the environment of
    the tests; the editable package does not.
    """
    directory = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", directory)
    python = directory / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", "--quiet", wheel)
    (packages,) = directory.glob("lib/python*/site-packages")
    requirements = sysconfig.get_path("purelib")
    path = packages / "requirements.pth"
    path.write_text(f"{requirements}\n", encoding="utf-8")
    return python


def run(*command, **kwargs):
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, **kwargs
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        (metadata,) = (n for n in names if n.endswith(".dist-info/METADATA"))
        description = email.message_from_bytes(file.read(metadata))
    package = ROOT / "albert_keras"
    modules = {
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.pyi", "*.h", "*.cc", "*.html", "py.typed")
        for path in package.rglob(pattern)
    }
    assert {n for n in names if ".dist-info/" not in n} == modules
    assert description["Version"] == albert_keras.__version__
    assert description["Requires-Python"] == "<3.13,>=3.10"
    assert any(name.endswith("/LICENSE") for name in names)


def test_the_source_archive_holds_what_repeats_the_tests(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {
        "Makefile",
        "constraints.txt",
        "recipes/pretrain.py",
        "docker/requirements.txt",
        "infrastructure/mpijob.yaml",
        "tests/conftest.py",
        "tests/references/tfa_lamb.json",
    } <= names
    assert not any(".venv" in name or ".pyc" in name for name in names)


def test_the_installed_package_is_light_and_makes_a_model(python, tmp_path):
    program = f"""{PROGRAM}
import importlib.metadata
model = albert_keras.AlbertBackbone.from_size("tiny", vocabulary_size=50)
print(json.dumps({{
    "file": albert_keras.__file__,
    "version": importlib.metadata.version("albert-keras"),
    "parameters": model.count_params(),
    "seconds": seconds,
    "optional": optional,
}}))
"""
    # -I leaves this folder and PYTHONPATH out of sys.path.
    output = run(python, "-I", "-c", program, cwd=tmp_path)
    found = json.loads(output.splitlines()[-1])
    assert Path(found["file"]).is_relative_to(Path(python).parents[1])
    assert found["version"] == albert_keras.__version__
    assert found["parameters"] > 0
    assert found["optional"] == []
    assert found["seconds"] < TIME_OF_ITS_OWN
