"""Secrets in the environment are not printed, written or sent."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.launching.conftest import (  # noqa: F401 (fixtures)
    account,
    variables,
)
from tests.marks import others_slow

ROOT = Path(__file__).parents[2]
SECRETS = {
    "HF_TOKEN": "hf_qnTestTokenThatIsNobodys",
    "WANDB_API_KEY": "0f5e1c7d9b3a2846test",
    "AWS_SECRET_ACCESS_KEY": "wJalrTestKeyThatIsNobodys",
    "AWS_SESSION_TOKEN": "FwoGTestSessionThatIsNobodys",
    "GITHUB_TOKEN": "ghp_TestTokenThatIsNobodys",
}
LAUNCH = (
    "--instance_type ml.m5.xlarge --sm_job_name tiny --model_size tiny "
    "--batch_size 4 --total_steps 4 "
    "--image_name 123456789012.dkr.ecr.us-east-1.amazonaws.com/albert-keras:cpu"
).split()


@pytest.fixture
def secrets(request, monkeypatch):
    """Sets the secrets, after all other fixtures that set variables."""
    for name in ("account", "variables"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def assert_no_secret(where, data):
    for name, value in SECRETS.items():
        assert value.encode() not in data, f"{name} in {where}"


def assert_no_secret_below(directory):
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert_no_secret(path, path.read_bytes())


@pytest.mark.slow
def test_a_run_that_ends_and_one_that_fails_tell_no_secret(
    recipe, corpus, secrets, tmp_path, capfd
):
    flags = (
        f"--data_dir {corpus} --model_size tiny --max_seq_length 16 "
        "--batch_size 4 --total_steps 2 --validation_steps 1 --log_frequency 1"
    ).split()
    run = ["--output_dir", str(tmp_path / "run")]
    recipe("pretrain").main([*flags, *run])
    with pytest.raises(SystemExit):
        recipe("pretrain").main([*flags, *run])
    shown = "".join(capfd.readouterr())
    assert "2 updates" in shown
    assert_no_secret("the output", shown.encode())
    assert_no_secret_below(tmp_path)


@pytest.mark.parametrize("dry_run", others_slow([False, True]))
def test_a_launch_sends_no_secret(
    recipe,
    account,  # noqa: F811
    variables,  # noqa: F811
    secrets,
    dry_run,
    monkeypatch,
    tmp_path,
    capfd,
):
    # A checkout with secrets in typical files.
    for folder in ("recipes", "albert_keras"):
        (tmp_path / folder).mkdir()
    (tmp_path / "recipes" / "pretrain.py").write_text("print('code')\n")
    kept = "\n".join(f"{name}={value}" for name, value in SECRETS.items())
    for name in (".env", "recipes/.netrc", "server.pem", "recipes/host.key"):
        (tmp_path / name).write_text(kept)
    source = ["--source_dir", str(tmp_path)]
    monkeypatch.chdir(ROOT)
    recipe("pretrain_sagemaker").main(
        [*LAUNCH, *source, *["--dry_run"] * dry_run]
    )
    shown = "".join(capfd.readouterr())
    assert "ml.m5.xlarge" in shown
    assert_no_secret("the output", shown.encode())
    requests = account.requests("CreateTrainingJob")
    assert len(requests) == (0 if dry_run else 1)
    assert_no_secret("the request", repr(account.calls).encode())
    if dry_run:
        return
    names = set()
    for channel in requests[0]["InputDataConfig"]:
        where = channel["DataSource"].get("S3DataSource")
        for name, data in account.objects(where["S3Uri"]) if where else ():
            names.add(name)
            assert_no_secret(name, data)
            if name.endswith(".tar.gz"):
                with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                    for member in filter(tarfile.TarInfo.isfile, tar):
                        content = tar.extractfile(member).read()
                        assert_no_secret(member.name, content)
    assert any(name.endswith("recipes/pretrain.py") for name in names)
