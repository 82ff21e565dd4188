"""Weights & Biases is off unless asked for and a user is logged in."""

import sys
import types

import pytest

from albert_keras.training.runs.weights_and_biases import start_wandb


class FakeWandb(types.ModuleType):
    def __init__(self, api_key):
        super().__init__("wandb")
        self.api = types.SimpleNamespace(api_key=api_key)
        self.started, self.rows = None, []

    def init(self, **kwargs):
        self.started = kwargs
        return types.SimpleNamespace(
            log=lambda metrics, step: self.rows.append((step, metrics))
        )


def test_rows_go_to_a_run_with_name_and_settings(monkeypatch):
    wandb = FakeWandb("key")
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    log = start_wandb("albert", "run-1", {"seed": 42})
    log(10, {"loss": 3.5})
    assert wandb.started == {
        "project": "albert",
        "name": "run-1",
        "config": {"seed": 42},
    }
    assert wandb.rows == [(10, {"loss": 3.5})]


def test_without_a_login_it_is_off_and_says_so(monkeypatch, caplog):
    wandb = FakeWandb(None)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    assert start_wandb("albert", "run-1", {}) is None
    assert wandb.started is None and "nobody is logged in" in caplog.text


def test_without_the_package_the_flag_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match="`wandb_project` needs the package"):
        start_wandb("albert", "run-1", {})
