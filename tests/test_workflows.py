"""The workflows name existing files and versions; pre-commit passes."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
EXTRAS = SETUP["options.extras_require"]


def jobs(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def commands(path):
    for job in jobs(path).values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_exists(path):
    assert list(commands(path))
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 60 and job["runs-on"]
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
    for command in commands(path):
        for target in re.findall(r"\bmake (\S+)", command):
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
        for file in re.findall(r"(?:--requirement |\s)([\w./]+\.txt)", command):
            assert file == "pinned.txt" or (ROOT / file).is_file(), file
        for script in re.findall(r"\s(\.ci/\w+)", command):
            assert (ROOT / script).stat().st_mode & 0o111, script
        for extra in re.findall(r"\.\[(\w+)\]", command):
            assert extra in EXTRAS


def test_the_matrix_has_the_versions_that_the_package_accepts():
    matrix = jobs(ROOT / ".github" / "workflows" / "tests.yml")["versions"][
        "strategy"
    ]["matrix"]
    classifiers = SETUP["metadata"]["classifiers"]
    assert matrix["python"] == re.findall(r"Python :: (3\.\d+)", classifiers)
    low, high = re.findall(r"2\.(\d+)", EXTRAS["tensorflow-cpu"])
    assert matrix["tensorflow"] == [
        f"2.{minor}.*" for minor in range(int(low), int(high))
    ]


@pytest.mark.slow
@pytest.mark.process
def test_pre_commit_finds_nothing_to_mend():
    pre_commit = Path(sys.executable).with_name("pre-commit")
    if shutil.which("git") is None or not pre_commit.is_file():
        pytest.skip("git or pre-commit is not installed")
    git = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], cwd=ROOT, capture_output=True
    )
    if git.returncode or Path(git.stdout.decode().strip()) != ROOT.resolve():
        pytest.skip(f"{ROOT} is no checkout: {git.stderr.decode().strip()}")
    if Path(sys.executable).parent != ROOT / ".venv" / "bin":
        pytest.skip("the hooks are those of .venv, which is not in use")
    result = subprocess.run(
        [pre_commit, "run", "--all-files", "--color", "never"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
