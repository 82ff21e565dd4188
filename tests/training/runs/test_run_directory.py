"""Run directories: settings, and the location of checkpoints."""

import pytest
import yaml

from albert_keras.training.runs.run_directory import RunDirectory
from albert_keras.training.runs.sagemaker_container import ROOT_VARIABLE

SETTINGS = {"seed": 42, "name": "a: b", "pretrained": None, "text": ["x"]}


def test_settings_are_yaml_and_read_back(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.write_settings(SETTINGS)
    assert yaml.safe_load(run.settings_path.read_text()) == SETTINGS
    assert run.read_settings() == SETTINGS
    run.settings_path.write_text("seed: 4 2\n")
    with pytest.raises(ValueError, match="settings.yaml is damaged"):
        run.read_settings()


def test_other_settings_are_refused_unless_they_may_change(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.write_settings(SETTINGS)
    run.check(SETTINGS, resume=True)
    run.check({**SETTINGS, "seed": 1}, resume=True, may_change={"seed"})
    with pytest.raises(ValueError, match="seed: 42 then, 1 now"):
        run.check({**SETTINGS, "seed": 1}, resume=True)
    with pytest.raises(ValueError, match="already holds a run"):
        run.check(SETTINGS, resume=False)


def test_checkpoints_go_where_sagemaker_keeps_them(tmp_path, monkeypatch):
    kept = tmp_path / "opt" / "ml" / "checkpoints"
    monkeypatch.setenv(ROOT_VARIABLE, str(kept.parent))
    assert RunDirectory("run").checkpoints.parts == ("run", "checkpoints")
    kept.mkdir(parents=True)
    assert RunDirectory("run").checkpoints == kept
    assert RunDirectory("run", tmp_path).checkpoints == tmp_path
