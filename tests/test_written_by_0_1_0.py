"""Files written by version 0.1.0 are read, and give the same results.

The files in references/written_by_0_1_0 were written at commit 1399c34, before
the modules moved to their folders: a corpus, a pretrained directory, a run
with a checkpoint after two of its four updates, a compiled classifier, and a
Keras model with the backbone as one layer. `expected.npz` holds inputs and the
outputs that version 0.1.0 computed from them.
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone
from albert_keras.data import PretrainingDataset, TokenStore
from albert_keras.training.callbacks.training_log import read_metrics
from tests.processes import run_python

pytestmark = pytest.mark.heavy

WRITTEN = Path(__file__).parent / "references" / "written_by_0_1_0"
# Loads a model that Keras saved; importing the package must be enough.
PROGRAM = """
import albert_keras
import keras
print(keras.saving.load_model({path!r}).count_params())
"""


@pytest.fixture(scope="module")
def expected():
    return np.load(WRITTEN / "expected.npz")


@pytest.fixture
def inputs(expected):
    names = ("token_ids", "segment_ids", "padding_mask")
    return {name: expected[name] for name in names}


def assert_close(computed, expected):
    np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-5)


def test_a_corpus_gives_the_same_batches(expected):
    dataset = PretrainingDataset(TokenStore(WRITTEN / "corpus"), 32, 4, seed=42)
    np.testing.assert_array_equal(dataset[3][0]["token_ids"], expected["batch"])


def test_a_pretrained_directory_gives_the_same_outputs(expected, inputs):
    backbone = AlbertBackbone.from_pretrained(WRITTEN / "pretrained")
    outputs = backbone.predict(inputs, verbose=0)
    assert_close(outputs["pooled_output"], expected["pretrained"])


def test_a_compiled_classifier_gives_the_same_outputs(expected, inputs):
    model = keras.saving.load_model(WRITTEN / "classifier.keras")
    outputs = model.predict(inputs, verbose=0)
    assert_close(outputs["logits"], expected["classifier"])
    assert int(model.optimizer.iterations) == 2


def test_a_keras_model_around_the_backbone_gives_the_same_outputs(
    expected, inputs
):
    model = keras.saving.load_model(WRITTEN / "own_model.keras")
    assert_close(model.predict(inputs, verbose=0), expected["own_model"])


@pytest.mark.process
def test_importing_the_package_is_enough_to_load_a_saved_model():
    path = str(WRITTEN / "own_model.keras")
    assert int(run_python("-c", PROGRAM.format(path=path))) > 0


@pytest.mark.slow
def test_a_run_resumes_from_its_checkpoint_and_ends_the_same(
    expected, inputs, recipe, tmp_path, monkeypatch
):
    shutil.copytree(WRITTEN, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    recipe("pretrain").main(["--config", "run/settings.yaml", "--resume"])
    backbone = AlbertBackbone.from_pretrained("run")
    outputs = backbone.predict(inputs, verbose=0)
    assert_close(outputs["pooled_output"], expected["run"])
    before = read_metrics(WRITTEN / "run" / "metrics.csv")
    after = read_metrics(tmp_path / "run" / "metrics.csv")
    assert [row["step"] for row in after] == [row["step"] for row in before]
    for one, other in zip(before, after, strict=True):
        for name in {"loss", "gradient_norm", "val_loss"} & set(one):
            assert_close(other[name], one[name])
