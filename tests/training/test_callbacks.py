"""Logs, warnings and the stop on a loss that is no number."""

import keras
import numpy as np
import pytest

from albert_keras.optimizers import Lamb
from albert_keras.training.callbacks import (
    PlateauWarning,
    StopOnNonFinite,
    TrainingLog,
)
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)
from tests.batches import Batches, make_batch


@pytest.fixture
def model(pretraining_model):
    pretraining_model.compile(Lamb(0.01))
    return pretraining_model


def test_rows_hold_means_since_the_last_row_and_validations(
    model, tiny_config, rng, tmp_path
):
    batches = [make_batch(rng, tiny_config) for _ in range(5)]
    totals = []

    class EachUpdate(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            totals.append([float(v) for v in self.mean.variables])

        def on_train_begin(self, logs=None):
            self.mean = self.model.update_metrics.means["sop_loss"]

    validations = iter([{"loss": 9.0}, {"loss": 8.0}, {"loss": 7.0}])
    log = TrainingLog(
        tmp_path,
        frequency=2,
        tokens_per_update=96,
        rows_per_update=8,
        validate=lambda: next(validations),
        validation_frequency=4,
    )
    model.fit(
        Batches(batches),
        shuffle=False,
        verbose=0,
        callbacks=[EachUpdate(), log],
    )
    rows = read_metrics(tmp_path / METRICS_FILE)
    assert [row["step"] for row in rows] == [0, 2, 4, 5]
    assert [row.get("val_loss") for row in rows] == [9.0, None, 8.0, 7.0]
    losses = [rows[i]["sop_loss"] for i in (1, 2, 3)]
    expected = [totals[i][0] / totals[i][1] for i in (1, 3, 4)]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert totals[3][1] == 16  # two batches of eight: the log had reset it
    for row in rows[1:]:
        assert row["tokens_per_second"] == pytest.approx(
            96 * row["updates_per_second"]
        )
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_resumed_log_drops_what_came_after_the_checkpoint(
    model, tiny_config, rng, tmp_path
):
    batches = [make_batch(rng, tiny_config) for _ in range(6)]

    def run(batches, first_step):
        log = TrainingLog(tmp_path, 1, 96, 8, first_step=first_step)
        model.fit(Batches(batches), shuffle=False, verbose=0, callbacks=[log])

    run(batches, 0)
    run(batches[:2], 3)
    rows = read_metrics(tmp_path / METRICS_FILE)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]


def test_a_loss_that_is_no_number_stops_the_run_by_name_and_update(
    model, tiny_config, rng
):
    inputs, labels, weights = make_batch(rng, tiny_config)
    bad = {"mlm": weights["mlm"] * np.nan}
    batches = [(inputs, labels, weights), (inputs, labels, bad)]
    with pytest.raises(FloatingPointError, match="loss is nan at update 12"):
        model.fit(
            Batches(batches),
            shuffle=False,
            verbose=0,
            callbacks=[StopOnNonFinite(first_step=10)],
        )


def test_a_stay_on_the_plateau_is_told_once_and_a_fall_back_as_well(caplog):
    watch = PlateauWarning(unigram_entropy=6.0, warmup_steps=100)
    for step in range(0, 700, 100):
        watch(step, {"mlm_loss": 6.05})
    assert len(caplog.records) == 1
    assert "still about the unigram entropy of 6.00" in caplog.text
    caplog.clear()
    for loss in (5.9, 5.0, 4.0):
        watch(800, {"mlm_loss": loss})
    assert not caplog.records
    watch(900, {"mlm_loss": 6.4})
    watch(1000, {"mlm_loss": 6.4})
    assert len(caplog.records) == 1
    assert "jumped back to 6.40" in caplog.text
