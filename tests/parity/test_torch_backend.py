"""The same models on Keras's PyTorch backend."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import albert_keras as ak
from tests.parity import torch_backend
from tests.training.steps import three_updates

pytest.importorskip("torch", reason="needs PyTorch: make test-parity")
pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Results of `torch_backend` from the same weights as TensorFlow's."""
    out = tmp_path_factory.mktemp("torch")
    keras.utils.set_random_seed(0)
    three_updates.main(out / "start.npz", out / "tensorflow.npz")
    model = ak.AlbertForPretraining(
        ak.AlbertBackbone.from_config(torch_backend.CONFIG)
    )
    model.save_pretrained(out / "model")
    subprocess.run(
        [sys.executable, "-m", "tests.parity.torch_backend", str(out)],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
    )
    return out


def load(path):
    with np.load(path) as values:
        return dict(values)


def test_outputs_are_those_of_tensorflow(out):
    model = ak.AlbertForPretraining.from_pretrained(out / "model")
    expected = model(torch_backend.make_inputs())
    outputs = load(out / "outputs.npz")
    assert outputs.keys() == expected.keys()
    for name, value in outputs.items():
        assert np.abs(value).max() > 0.1  # more than rounding
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-5)


def test_three_updates_are_those_of_tensorflow(out):
    torch, tensorflow = (
        load(out / name) for name in ("torch.npz", "tensorflow.npz")
    )
    assert torch.keys() == tensorflow.keys()
    for name, value in tensorflow.items():
        np.testing.assert_allclose(
            torch[name], value, rtol=1e-5, atol=1e-5, err_msg=name
        )


def test_a_keras_model_around_the_backbone_learns(out):
    losses = load(out / "losses.npz")["losses"]
    assert losses[-1] < 0.5 * losses[0]
