"""Runs that are given minutes: the plan of their updates."""

import pytest

from albert_keras.data import TokenStore
from albert_keras.training.callbacks.training_log import read_metrics
from albert_keras.workflows import time_budget
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)

SETTINGS = dict(
    model_size="tiny",
    max_seq_length=16,
    batch_size=4,
    validation_steps=1,
    validation_frequency=10,
)


def make_settings(corpus, output_dir, **more):
    return PretrainingSettings(
        **SETTINGS, data_dir=str(corpus), output_dir=str(output_dir), **more
    )


@pytest.fixture
def measured(monkeypatch):
    """Half a second an update, two seconds a validation."""
    monkeypatch.setattr(time_budget, "_measure", lambda *_: (0.5, 2.0))


def test_updates_and_validations_fill_the_minutes(corpus, tmp_path, measured):
    settings = make_settings(corpus, tmp_path / "run", minutes=7)
    planned = time_budget.plan_updates(settings, TokenStore(corpus))
    # 420 s / (0.5 s + 2 s / 10 updates)
    assert planned.total_steps == 600
    assert planned.minutes is None and planned.seed == settings.seed


def test_without_minutes_nothing_is_measured(corpus, tmp_path, measured):
    settings = make_settings(corpus, tmp_path, total_steps=5)
    assert time_budget.plan_updates(settings, TokenStore(corpus)) is settings


@pytest.mark.parametrize(
    "more",
    [
        dict(first_seq_length=8, first_seq_steps=2),
        dict(load_from="checkpoint", checkpoint_path="elsewhere"),
    ],
    ids=["two lengths", "a checkpoint"],
)
def test_minutes_are_refused_where_updates_cost_unlike(tmp_path, more):
    with pytest.raises(ValueError, match="pass --total_steps"):
        make_settings(tmp_path, tmp_path, minutes=7, **more).check()


@pytest.mark.heavy
@pytest.mark.slow
def test_a_planned_run_equals_one_of_as_many_updates_and_resumes(
    recipe, corpus, tmp_path, capsys
):
    flags = [f"--{name}={value}" for name, value in SETTINGS.items()]
    flags += [f"--data_dir={corpus}", "--log_frequency=1"]
    pretrain = recipe("pretrain").main

    pretrain([*flags, f"--output_dir={tmp_path / 'a'}", "--minutes=0.002"])
    assert "updates in 0.002 minutes" in capsys.readouterr().out
    rows = read_metrics(tmp_path / "a" / "metrics.csv")
    assert rows[-1]["step"] > 0

    pretrain([*flags, f"--output_dir={tmp_path / 'a'}", "--minutes=0.002",
              "--resume"])  # fmt: skip
    shown = capsys.readouterr().out
    assert "Nothing left to do" in shown and "Measuring" not in shown

    pretrain(
        [
            f"--config={tmp_path / 'a' / 'settings.yaml'}",
            f"--output_dir={tmp_path / 'b'}",
            "--no_resume",
        ]
    )
    for planned, given in zip(
        rows, read_metrics(tmp_path / "b" / "metrics.csv"), strict=True
    ):
        for name in ("loss", "mlm_loss", "val_loss", "gradient_norm"):
            assert planned.get(name) == given.get(name)
