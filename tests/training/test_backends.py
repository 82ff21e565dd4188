"""The same updates on every backend of Keras that can train."""

import os
import subprocess
import sys

import numpy as np
import pytest


def run(backend, start, out):
    subprocess.run(
        [sys.executable, "-m", "tests.training.three_updates", start, out],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    with np.load(out) as values:
        return dict(values)


@pytest.mark.slow
def test_jax_and_tensorflow_end_with_the_same_weights_and_metrics(tmp_path):
    start = str(tmp_path / "start.npz")
    tensorflow = run("tensorflow", start, str(tmp_path / "tensorflow.npz"))
    jax = run("jax", start, str(tmp_path / "jax.npz"))
    assert tensorflow.keys() == jax.keys()
    for name, value in tensorflow.items():
        np.testing.assert_allclose(
            jax[name], value, rtol=1e-4, atol=2e-5, err_msg=name
        )


def test_a_backend_that_cannot_train_says_which_can():
    program = (
        "import sys, types, keras; keras.config.backend = lambda: 'openvino'; "
        "import albert_keras"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert "Received: backend 'openvino'" in result.stderr
