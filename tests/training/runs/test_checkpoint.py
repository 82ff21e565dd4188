"""Checkpoints: a resumed run ends with identical weights."""

import dataclasses
import logging

import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertForPretraining
from albert_keras.optimizers import Lamb
from albert_keras.training.callbacks import Checkpointing
from albert_keras.training.runs.checkpoint import (
    STATE_FILE,
    checkpoint_settings,
    newest_checkpoint,
    remove_unfinished,
    restore_checkpoint,
    save_checkpoint,
)
from tests.batches import Batches, make_batch

pytestmark = pytest.mark.heavy


@pytest.fixture
def make_model(tiny_config):
    def make(**changes):
        # Dropout, so that the random state matters.
        config = dataclasses.replace(tiny_config, hidden_dropout=0.2, **changes)
        model = AlbertForPretraining(AlbertBackbone.from_config(config))
        model.compile(Lamb(0.01), gradient_accumulation_steps=2)
        return model

    return make


def fit(model, batches, callbacks=None):
    model.fit(Batches(batches), shuffle=False, verbose=0, callbacks=callbacks)


@pytest.mark.heavy
def test_a_resumed_run_is_bit_identical_to_an_uninterrupted_one(
    make_model, tiny_config, rng, tmp_path
):
    batches = [make_batch(rng, tiny_config) for _ in range(6)]
    model = make_model()
    fit(model, batches, [Checkpointing(tmp_path, frequency=4)])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "step-00000004",
        "step-00000006",
    ]
    resumed = make_model()
    fit(resumed, batches[:1])  # other weights, moments and random states
    assert restore_checkpoint(tmp_path / "step-00000004", resumed) == 4
    fit(resumed, batches[4:])
    assert int(resumed.optimizer.iterations) == 6
    for mine, theirs in zip(
        resumed.variables + resumed.optimizer.variables,
        model.variables + model.optimizer.variables,
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_weights_alone_can_be_taken(make_model, tmp_path):
    model, other = make_model(), make_model()
    path = save_checkpoint(tmp_path, model, step=7)
    other.optimizer.iterations.assign(3)
    restore_checkpoint(path, other, optimizer_state=False)
    assert int(other.optimizer.iterations) == 3
    for mine, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_newest_whole_checkpoint_is_found_past_a_damaged_one(
    make_model, tmp_path, caplog
):
    assert newest_checkpoint(tmp_path) is None
    model = make_model()
    for step in (8, 9, 10):
        save_checkpoint(tmp_path, model, step)
    state = tmp_path / "step-00000010" / STATE_FILE
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content)
    (tmp_path / "step-00000009" / STATE_FILE).unlink()
    with caplog.at_level(logging.WARNING):
        assert newest_checkpoint(tmp_path).name == "step-00000008"
    assert "step-00000010: its checksum differs" in caplog.text
    assert "step-00000009" in caplog.text


def test_only_the_newest_are_kept(make_model, tmp_path):
    model = make_model()
    for step in range(1, 5):
        save_checkpoint(tmp_path, model, step, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "step-00000003",
        "step-00000004",
    ]


def test_a_save_that_fails_leaves_the_older_checkpoint_and_nothing_else(
    make_model, tmp_path
):
    def full_disk(directory):
        (directory / "half").write_text("half")
        raise OSError("No space left on device")

    model = make_model()
    save_checkpoint(tmp_path, model, 1)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, model, 2, export=full_disk)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    assert newest_checkpoint(tmp_path).name == "step-00000001"


def test_a_checkpoint_of_another_model_is_refused_with_both_shapes(
    make_model, tmp_path
):
    path = save_checkpoint(tmp_path, make_model(), 1)
    other = make_model(intermediate_dim=16)
    before = other.get_weights()
    with pytest.raises(
        ValueError, match=r"another model.*\[8, 12\].*\[8, 16\]"
    ):
        restore_checkpoint(path, other)
    for mine, theirs in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    other = make_model()
    other.compile("adam")
    with pytest.raises(ValueError, match="the optimizer Lamb, .* has Adam"):
        restore_checkpoint(path, other)


def test_what_a_killed_process_left_is_removed_and_nothing_else(
    make_model, tmp_path
):
    save_checkpoint(tmp_path, make_model(), 1, settings={"seed": 42})
    (tmp_path / ".tmp-step-00000002-abc").mkdir()
    (tmp_path / ".tmp-step-00000002-abc" / STATE_FILE).write_bytes(b"half")
    (tmp_path / "notes").mkdir()
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes",
        "step-00000001",
    ]
    assert checkpoint_settings(tmp_path / "step-00000001") == {"seed": 42}


def test_a_full_disk_while_writing_leaves_the_older_checkpoint_good(
    make_model, tmp_path, monkeypatch
):
    import safetensors.numpy

    model = make_model()
    save_checkpoint(tmp_path, model, 1, keep=1)

    def full(arrays, path):
        path.write_bytes(b"some bytes")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, model, 2, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert restore_checkpoint(newest_checkpoint(tmp_path), model) == 1
