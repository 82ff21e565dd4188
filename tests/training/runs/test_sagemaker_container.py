"""A job's container: paths, failure reasons, and the model's directories."""

import pytest

from albert_keras.training.runs.run_directory import RunDirectory
from albert_keras.training.runs.sagemaker_container import (
    ROOT_VARIABLE,
    SageMakerContainer,
)
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A container, which belongs to a job once it has a configuration."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "ml"))
    return SageMakerContainer()


def start_job(container):
    config = container.root / "input" / "config"
    config.mkdir(parents=True)
    (config / "resourceconfig.json").write_text("{}")


def test_by_default_it_is_where_sagemaker_has_it(monkeypatch):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    container = SageMakerContainer()
    assert str(container.checkpoints) == "/opt/ml/checkpoints"
    assert str(container.channel("code")) == "/opt/ml/input/data/code"
    assert str(container.failure) == "/opt/ml/output/failure"
    assert str(container.tensorboard) == "/opt/ml/output/tensorboard"


def test_the_first_failure_is_the_jobs_reason(container):
    container.report_failure("outside of a job")
    assert not container.root.exists()
    start_job(container)
    container.report_failure("x" * 2000)
    container.report_failure("what followed from it")
    assert container.failure.read_text() == "x" * 1024


def test_a_recipe_that_fails_leaves_its_reason(container, recipe, tmp_path):
    start_job(container)
    with pytest.raises(SystemExit, match="pretrain: "):
        recipe("pretrain").main(
            ["--data_dir", str(tmp_path / "none"), "--output_dir"]
            + [str(tmp_path / "run"), "--total_steps", "1"]
        )
    reason = container.failure.read_text()
    assert reason.startswith("pretrain: ") and str(tmp_path / "none") in reason

    def fail(settings):
        raise RuntimeError("out of memory")

    container.failure.unlink()
    argv = ["--data_dir", "d", "--output_dir", "o"]
    with pytest.raises(RuntimeError):
        run_recipe(
            "pretrain",
            fail,
            PretrainingSettings,
            argv,
        )
    assert container.failure.read_text() == (
        "pretrain: RuntimeError: out of memory"
    )


def test_the_model_goes_to_the_job_and_beside_checkpoints_elsewhere(
    container, tmp_path
):
    run = tmp_path / "run"
    assert RunDirectory(run).model_directories() == []
    elsewhere = RunDirectory(run, tmp_path / "checkpoints")
    assert elsewhere.model_directories() == [run / "model"]
    start_job(container)
    assert RunDirectory(run).model_directories() == [container.model]
