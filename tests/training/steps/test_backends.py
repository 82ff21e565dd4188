"""The same updates on every Keras backend that can train."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import safetensors.numpy

import albert_keras as ak
from albert_keras.data import PretrainingDataset, TokenStore
from albert_keras.training.callbacks.training_log import read_metrics
from albert_keras.training.runs.checkpoint import STATE_FILE
from tests.processes import run_python
from tests.squad_files import write_squad
from tests.training.steps.backend_runs import ROWS, pretrain

# Relative for metrics, absolute for weights after twenty updates of LAMB.
# Measured on CPUs: 2e-7 for the losses, 3e-6 for the gradient norms, 2e-6 for
# the weights. JAX's derivative of GELU is less accurate than ours.
TOLERANCE = 1e-5
STATE = f"checkpoints/step-00000020/{STATE_FILE}"


@pytest.fixture(scope="module")
def start(corpus, tmp_path_factory):
    """A pretrained directory with random weights."""
    keras.utils.set_random_seed(3)
    tokenizer = TokenStore(corpus).tokenizer
    config = ak.AlbertConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=4,
        num_groups=2,
        num_heads=2,
        embedding_dim=6,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=32,
        initializer_range=0.3,
    )
    directory = tmp_path_factory.mktemp("start") / "model"
    model = ak.AlbertForPretraining(ak.AlbertBackbone.from_config(config))
    model.save_pretrained(directory, tokenizer=tokenizer)
    return directory


@pytest.fixture(scope="module")
def runs(corpus, start, tmp_path_factory):
    """Directory of the runs of `backend_runs` on one device."""
    out = tmp_path_factory.mktemp("runs")
    pretrain(corpus, start, out / "tensorflow")
    run_on_jax(corpus, start, out, "whole", "resumed")
    return out


@pytest.fixture(scope="module")
def more_runs(corpus, start, runs):
    """The same directory, with all the runs on one device."""
    run_on_jax(corpus, start, runs, "other", "bfloat16")
    return runs


def run_on_jax(corpus, start, out, *names, devices=1):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    subprocess.run(
        [
            *(sys.executable, "-m", "tests.training.steps.backend_runs"),
            *map(str, (corpus, start, out, *names)),
        ],
        env=environment,
        check=True,
    )


def assert_same_course(one, other, since=0):
    """Asserts that the metrics of all updates agree, except throughput."""
    mine, theirs = (
        [
            row
            for row in read_metrics(run / "metrics.csv")
            if row["step"] > since
        ]
        for run in (one, other)
    )
    assert [row["step"] for row in mine] == list(range(since + 1, 21))
    for row, expected in zip(mine, theirs, strict=True):
        names = [name for name in row if "per_second" not in name]
        assert len(names) in (9, 14)  # without and with a validation
        for name in names:
            assert row[name] == pytest.approx(expected[name], rel=TOLERANCE), (
                f"{name} at update {row['step']}"
            )


def state_of(run):
    return safetensors.numpy.load_file(run / STATE)


def assert_same_weights(one, other):
    mine, theirs = state_of(one), state_of(other)
    assert mine.keys() == theirs.keys()
    for name in mine:
        np.testing.assert_allclose(
            mine[name], theirs[name], rtol=0, atol=TOLERANCE, err_msg=name
        )


@pytest.mark.process
@pytest.mark.slow
def test_twenty_updates_under_jax_are_those_of_tensorflow(runs, start):
    assert_same_course(runs / "whole", runs / "tensorflow")
    assert_same_weights(runs / "whole", runs / "tensorflow")
    first, last = (
        ak.AlbertForPretraining.from_pretrained(path).get_weights()
        for path in (start, runs / "whole")
    )
    moved = [np.abs(a - b).max() for a, b in zip(first, last, strict=True)]
    assert max(moved) > 0.05


@pytest.mark.process
@pytest.mark.slow
def test_a_run_that_is_resumed_under_jax_is_bit_identical(runs):
    whole, resumed = (state_of(runs / name) for name in ("whole", "resumed"))
    assert whole.keys() == resumed.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name])


@pytest.mark.slow
@pytest.mark.process
def test_a_run_of_tensorflow_goes_on_under_jax(more_runs):
    assert_same_course(more_runs / "other", more_runs / "tensorflow", since=10)
    assert_same_weights(more_runs / "other", more_runs / "tensorflow")


@pytest.mark.slow
@pytest.mark.process
def test_what_jax_has_trained_is_evaluated_alike_by_tensorflow(runs, corpus):
    logged = read_metrics(runs / "whole" / "metrics.csv")[-1]
    model = ak.AlbertForPretraining.from_pretrained(runs / "whole")
    model.compile("sgd")
    validation = PretrainingDataset(
        TokenStore(corpus),
        sequence_length=32,
        batch_size=ROWS,
        split="validation",
        seed=43,
        num_steps=2,
    )
    metrics = model.evaluate(validation, return_dict=True, verbose=0)
    for name, value in metrics.items():
        assert value == pytest.approx(logged[f"val_{name}"], rel=1e-5), name


@pytest.mark.slow
@pytest.mark.process
def test_bfloat16_follows_float32_under_jax(more_runs):
    exact, rounded = (
        [
            row["loss"]
            for row in read_metrics(more_runs / name / "metrics.csv")[1:]
        ]
        for name in ("whole", "bfloat16")
    )
    assert exact != rounded
    np.testing.assert_allclose(rounded, exact, rtol=0.02)


@pytest.fixture(scope="module")
def on_two(corpus, start, tmp_path_factory):
    """Directory of the runs of `backend_runs` on two devices."""
    out = tmp_path_factory.mktemp("on_two")
    write_squad(out / "squad.json")
    run_on_jax(corpus, start, out, "whole", "squad", devices=2)
    return out


@pytest.mark.slow
@pytest.mark.process
def test_two_devices_train_as_one_does(runs, on_two):
    assert_same_course(on_two / "whole", runs / "whole")
    assert_same_weights(on_two / "whole", runs / "whole")


@pytest.mark.slow
@pytest.mark.process
def test_two_devices_fine_tune_on_rows_of_any_length(on_two):
    rows = read_metrics(on_two / "squad" / "metrics.csv")
    assert rows[-1]["step"] == 3 and np.isfinite(rows[-1]["loss"])
    predictions = json.loads(
        (on_two / "squad" / "predictions.json").read_text()
    )
    assert len(predictions) == 20  # in batches of 2 x 3 rows, and 2 rows


@pytest.mark.slow
@pytest.mark.process
def test_each_device_drops_out_otherwise_and_the_state_stays_one(on_two):
    told = json.loads((on_two / "random_states.json").read_text())
    (first, second), after = told["on_devices"], told["after"]
    assert first == told["before"] == after and second != first


@pytest.mark.slow
@pytest.mark.process
def test_two_devices_agree_with_one_on_a_users_loss_and_metrics(tmp_path):
    for devices in (1, 2):
        subprocess.run(
            [
                *(sys.executable, "-m", "tests.distributed.five_updates"),
                *(str(tmp_path / str(devices)), "2own"),
            ],
            env={
                **os.environ,
                "KERAS_BACKEND": "jax",
                "JAX_PLATFORMS": "cpu",
                "XLA_FLAGS": "--xla_force_host_platform_device_count="
                f"{devices}",
            },
            check=True,
        )
    one, two = (dict(np.load(f"{tmp_path}/{n}-1x2own.npz")) for n in (1, 2))
    assert {"train_mlm_f1", "test_sop_auc"} <= set(one) == set(two)
    one.pop("train_sop_largest"), two.pop("train_sop_largest")
    for name, value in one.items():
        np.testing.assert_allclose(
            two[name], value, rtol=1e-5, atol=1e-6, err_msg=name
        )


@pytest.mark.process
@pytest.mark.slow
def test_a_backend_that_cannot_train_says_which_can():
    program = (
        "import sys, types, keras; keras.config.backend = lambda: 'openvino'; "
        "import albert_keras; albert_keras.AlbertForPretraining"
    )
    with pytest.raises(subprocess.CalledProcessError) as error:
        run_python("-c", program)
    assert "Received: backend 'openvino'" in error.value.output
