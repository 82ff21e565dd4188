"""SQuAD scores during pretraining."""

import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import safetensors.numpy
import yaml

from albert_keras.training.callbacks import EXIT_INTERRUPTED
from albert_keras.training.callbacks.training_log import read_metrics
from albert_keras.workflows import squad_probe
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from albert_keras.workflows.settings.task_settings import SquadSettings
from tests.squad_files import write_squad


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("squad")
    return {
        "--train_file": write_squad(directory / "train.json"),
        "--dev_file": write_squad(directory / "dev.json", seed=1),
    }


def pretrain(recipe, corpus, output_dir, *more):
    recipe("pretrain").main(
        [
            *("--data_dir", str(corpus), "--output_dir", str(output_dir)),
            *(
                "--model_size tiny --max_seq_length 32 --batch_size 4 "
                "--learning_rate 0.01 --total_steps 4 --validation_steps 1 "
                "--log_frequency 1 --validation_frequency 100 "
                "--hidden_dropout_prob 0.1"
            ).split(),
            *more,
        ]
    )


def squad_yaml(directory):
    """Writes a file for `--squad_config`, and returns its path."""
    settings = {
        "max_seq_length": 32,
        "max_query_length": 12,
        "total_steps": 2,
        "batch_size": 4,
        "hidden_dropout_prob": 0.1,
    }
    path = directory / "squad.yaml"
    path.write_text(yaml.safe_dump(settings))
    return str(path)


@pytest.mark.slow
def test_a_score_while_pretraining_leaves_no_trace_in_the_run(
    recipe, corpus, files, tmp_path, capsys
):
    pretrain(recipe, corpus, tmp_path / "without")
    flags = ("--squad_frequency", "2", "--squad_config", squad_yaml(tmp_path))
    named = [
        argument
        for name, path in files.items()
        for argument in (f"--squad_{name[2:]}", str(path))
    ]
    pretrain(recipe, corpus, tmp_path / "with", *flags, *named)
    assert "Update 2: SQuAD exact" in capsys.readouterr().out
    states = [
        safetensors.numpy.load_file(
            tmp_path / name / "checkpoints/step-00000004"
            "/training_state.safetensors"
        )
        for name in ("without", "with")
    ]
    assert states[0].keys() == states[1].keys()
    for name, array in states[0].items():
        np.testing.assert_array_equal(states[1][name], array, name)
    rows = read_metrics(tmp_path / "with" / "metrics.csv")
    scored = [row["step"] for row in rows if "squad_f1" in row]
    assert scored == [2, 4] and {"squad_exact"} <= set(rows[-1])
    plain = read_metrics(tmp_path / "without" / "metrics.csv")
    for one, other in zip(plain, rows, strict=True):
        for name in one:
            if "per_second" not in name:
                assert one[name] == other[name], name


@pytest.mark.slow
def test_a_signal_during_a_score_ends_the_pretraining_in_good_order(
    recipe, corpus, files, tmp_path, monkeypatch
):
    class Signal(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            os.kill(os.getpid(), signal.SIGTERM)

    main = recipe("pretrain").main
    monkeypatch.setattr(squad_probe, "BroadcastState", Signal)
    with pytest.raises(SystemExit) as stop:
        pretrain(
            lambda name: SimpleNamespace(main=main),
            corpus,
            tmp_path / "run",
            *("--squad_frequency", "2", "--squad_config", squad_yaml(tmp_path)),
            *("--squad_train_file", str(files["--train_file"])),
            *("--squad_dev_file", str(files["--dev_file"])),
        )
    assert stop.value.code == EXIT_INTERRUPTED
    assert (tmp_path / "run" / "checkpoints" / "step-00000003").is_dir()
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert not any("squad_f1" in row for row in rows)


def test_the_settings_of_a_score_are_the_runs_and_the_files(tmp_path):
    config = tmp_path / "squad.yaml"
    config.write_text("learning_rate: 1e-5\ntotal_steps: 7\nno_such_file: x\n")
    pretraining = PretrainingSettings(
        data_dir="d",
        output_dir="run",
        squad_train_file="train.json",
        squad_dev_file="dev.json",
        squad_config=str(config),
        precision="mixed_bfloat16",
    )
    with pytest.raises(SystemExit, match="squad.yaml must hold fields"):
        squad_probe.squad_settings(pretraining)
    config.write_text(
        "learning_rate: 1e-5\nn_best: 7\nkeep_best: false\nprecision: float32\n"
    )
    found = squad_probe.squad_settings(pretraining)
    assert found == SquadSettings(
        pretrained="run",
        output_dir="run",
        train_file="train.json",
        dev_file="dev.json",
        precision="mixed_bfloat16",
        learning_rate=1e-5,
        n_best=7,
        keep_best=False,
    )
    config.write_text("n_best: many\n")
    with pytest.raises(SystemExit):
        squad_probe.squad_settings(pretraining)


def test_scores_while_pretraining_need_files(recipe, corpus, tmp_path):
    with pytest.raises(SystemExit, match="needs --squad_train_file and"):
        pretrain(recipe, corpus, tmp_path / "run", "--squad_frequency", "2")
    assert not (tmp_path / "run").exists()
