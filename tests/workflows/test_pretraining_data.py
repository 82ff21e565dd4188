"""Validation batches of large and small corpora."""

import pytest

from albert_keras.workflows.pretraining_data import make_validation
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)


@pytest.mark.parametrize("batch_size", [8, 10_000])
def test_a_small_corpus_makes_smaller_validation_batches(store, batch_size):
    settings = PretrainingSettings(
        data_dir="d", output_dir="o", max_seq_length=32, batch_size=batch_size
    )
    dataset = make_validation(settings, store)
    assert dataset.batch_size == min(batch_size, len(dataset.sequences))
    assert dataset.num_batches == settings.validation_steps


def test_a_smaller_batch_is_shared_by_ranks_and_devices(store, monkeypatch):
    """On two ranks of three devices, each device gets as many rows."""
    monkeypatch.setattr("albert_keras.training.distributed.size", lambda: 2)
    monkeypatch.setattr("albert_keras.training.distributed.devices", lambda: 3)
    settings = PretrainingSettings(
        data_dir="d", output_dir="o", max_seq_length=32, batch_size=10_000
    )
    dataset = make_validation(settings, store)
    assert dataset.batch_size == 3 * (len(dataset.sequences) // 6)
