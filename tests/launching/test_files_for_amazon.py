"""Images, templates and scripts: checked by linters, and executed."""

import configparser
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from albert_keras.workflows.settings.parse_settings import parse_settings
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from albert_keras.workflows.settings.sagemaker_settings import SageMakerSettings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def run(*command, **environment):
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def needs(program):
    """The path of a program of the extra `dev`; skips the test without it."""
    if not (BIN / program).is_file():
        pytest.skip(f"{program} is not installed; make setup installs it")
    return BIN / program


@pytest.mark.process
@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say_of_the_images(path):
    result = run(needs("hadolint"), path)
    assert result.stdout + result.stderr == ""
    assert result.returncode == 0


@pytest.mark.process
def test_cfn_lint_has_nothing_to_say_of_the_template():
    result = run(needs("cfn-lint"), "infrastructure/sagemaker_fsx.yaml")
    assert result.stdout + result.stderr == ""
    assert result.returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        "build_and_push.sh",
        "serve",
        "sagemaker/pass_on_sigterm.sh",
        "sagemaker/sshd",
    ],
)
def test_the_scripts_are_bash(name):
    assert run("bash", "-n", ROOT / "docker" / name).stderr == ""


def test_every_version_in_the_images_is_pinned():
    requirements = (ROOT / "docker/requirements.txt").read_text()
    for line in requirements.splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line), line
    for path in DOCKERFILES:
        content = path.read_text()
        for image in re.findall(r"^FROM (\S+)", content, re.MULTILINE):
            assert ":" in image or image == "base", image
        assert "latest" not in content


def test_the_image_of_the_server_has_all_but_keras_in_the_tested_versions():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    needed = "\n".join([setup["options"]["install_requires"], extras["serve"]])
    names = set(re.findall(r"^([a-z0-9-]+)", needed, re.MULTILINE))
    content = (ROOT / "docker/serve.Dockerfile").read_text()
    pinned = dict(re.findall(r"\b([a-z0-9-]+)==([0-9.]+)", content))
    runtimes, of_keras = {"onnxruntime", "openvino"}, {"h5py", "ml-dtypes"}
    assert names - {"keras"} | runtimes | of_keras == set(pinned)
    tested = dict(
        re.findall(
            r"^([a-z0-9-]+)==([0-9.]+)",
            "\n".join(
                reversed((ROOT / "constraints.txt").read_text().splitlines())
            ),
            re.MULTILINE,
        )
    )
    for name in set(pinned) & set(tested):
        assert pinned[name] == tested[name], name


def test_the_images_have_all_that_the_recipes_need():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = (
        setup["options"]["install_requires"]
        + "\n"
        + (setup["options.extras_require"]["recipes"])
    )
    names = set(re.findall(r"^([a-z0-9-]+)", needed, re.MULTILINE))
    requirements = (ROOT / "docker/requirements.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", requirements, re.MULTILINE))
    assert names and names <= pinned


def test_the_images_have_the_versions_that_the_tests_ran_with():
    pinned = dict(
        line.split(";")[0].split("#")[0].strip().split("==")
        for line in (ROOT / "docker/requirements.txt").read_text().splitlines()
        if "==" in line
    )
    tested = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.split(";")[0].split("#")[0].partition("==")
        tested.setdefault(name, version.strip())  # of newer Pythons first
    same = set(pinned) & set(tested) - {"numpy"}  # TensorFlow 2.17 has NumPy 1
    assert {"keras", "safetensors", "sentencepiece", "mpi4py"} <= same
    assert {name: pinned[name] for name in same} == {
        name: tested[name] for name in same
    }


def test_the_push_script_says_what_it_would_do_and_refuses_nonsense():
    script = "docker/build_and_push.sh"
    place = ("--account", "123456789012", "--region", "us-east-1")
    shown = run(script, *place)
    assert shown.returncode == 0, shown.stderr
    name = (
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/albert-keras:"
        "ngc-25.02-0.1.0"
    )
    commands = [line.strip() for line in shown.stdout.splitlines()]
    assert commands[0] == "This would be done; --yes does it:"
    assert commands[1] == (
        "docker build --platform linux/amd64 --file "
        f"docker/ngc_sagemaker.Dockerfile --tag {name} ."
    )
    assert f"docker push {name}" in commands
    assert commands[-1] == f"export SAGEMAKER_IMAGE_NAME={name}"
    for argv, message in (
        ((), "--account must be 12 digits"),
        ((*place, "--image", "tpu"), "--image must be ngc or cpu"),
        (("--account", "123456789012", "--region", "mars"), "like us-east-1"),
        (("--push",), "unknown option --push"),
        (("--account",), "--account needs a value"),
    ):
        refused = run(script, *argv)
        assert refused.returncode == 2 and message in refused.stderr


def test_with_yes_the_push_script_does_it(tmp_path):
    log = tmp_path / "log"
    for program in ("docker", "aws"):
        stand_in = tmp_path / program
        stand_in.write_text(
            f'#!/bin/bash\necho "{program} $*" >> {log}\n'
            '[ "$2" != describe-repositories ]\n'
        )
        stand_in.chmod(0o755)
    shown = run(
        "docker/build_and_push.sh",
        *"--account 123456789012 --region us-east-1 --image cpu --yes".split(),
        PATH=f"{tmp_path}:{os.environ['PATH']}",
    )
    assert shown.returncode == 0, shown.stderr
    done = sorted(line.split()[:3] for line in log.read_text().splitlines())
    assert [" ".join(words) for words in done] == [
        "aws ecr create-repository",
        "aws ecr describe-repositories",
        "aws ecr get-login-password",
        "docker build --platform",
        "docker login --username",
        "docker push 123456789012.dkr.ecr.us-east-1.amazonaws.com"
        "/albert-keras:cpu-0.1.0",
    ]


def test_the_template_tells_every_variable_that_the_launcher_reads():
    class Loader(yaml.SafeLoader):
        """Loads CloudFormation's functions as plain values."""

    Loader.add_multi_constructor("!", lambda loader, tag, node: None)
    template = (ROOT / "infrastructure/sagemaker_fsx.yaml").read_text()
    template = yaml.load(template, Loader)
    described = {out["Description"] for out in template["Outputs"].values()}
    variables = SageMakerSettings.ENVIRONMENT
    assert described == set(variables.values()) - {"SAGEMAKER_IMAGE_NAME"}
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"], name


def test_the_command_of_the_mpi_job_is_one_of_the_recipe():
    path = ROOT / "infrastructure/mpijob.yaml"
    replicas = yaml.safe_load(path.read_text())["spec"]["mpiReplicaSpecs"]
    (launcher,) = replicas["Launcher"]["template"]["spec"]["containers"]
    command = launcher["command"]
    start = command.index("/opt/albert_keras/recipes/pretrain.py")
    parsed = parse_settings(PretrainingSettings, command[start + 1 :])
    ranks = int(command[command.index("-np") + 1])
    assert ranks == 8 * replicas["Worker"]["replicas"]
    assert parsed.compute_global_batch_size(ranks) == 4096
    assert parsed.resume


def test_the_hosts_of_a_job_derive_the_same_key(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location(
        "job_key", ROOT / "docker/sagemaker/job_key.py"
    )
    job_key = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job_key)
    keys = []
    for host, secret in (("a", "1f"), ("b", "1f"), ("c", "2e")):
        home = tmp_path / host
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setattr(job_key, "SECRET", home / "job_secret")
        job_key.main()
        assert not (home / ".ssh").exists()  # one host needs no key
        (home / "job_secret").write_text(secret)
        job_key.main()
        private = home / ".ssh" / "id_ed25519"
        assert private.stat().st_mode & 0o777 == 0o600
        keys.append((home / ".ssh" / "authorized_keys").read_text())
    assert keys[0] == keys[1] != keys[2]
    assert keys[0].startswith("ssh-ed25519 ")
