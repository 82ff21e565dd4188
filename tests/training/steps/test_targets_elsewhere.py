"""Inputs, labels and weights on JAX, and on the replicas of a strategy."""

import os
import subprocess
import sys

import pytest

FILES = (
    "tests/models/test_hidden_states.py",
    "tests/models/test_inputs.py",
    "tests/models/test_labels_and_weights.py",
    "tests/models/test_padding.py",
    "tests/models/test_refused_labels_and_weights.py",
    "tests/training/steps/test_layer_losses.py",
    "tests/training/steps/test_own_losses_and_metrics.py",
)


@pytest.mark.slow
@pytest.mark.process
def test_inputs_labels_and_layer_losses_are_the_same_on_jax():
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *FILES,
        ],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
    )


@pytest.mark.slow
@pytest.mark.process
def test_two_replicas_of_a_strategy_make_the_update_of_one_device(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "tests.training.steps.replicas"], check=True
    )
