"""Callbacks: logs, validations, warnings, stops, and when they wait."""

import math
import os
import signal

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from albert_keras.optimizers import Lamb
from albert_keras.training.callbacks import (
    Checkpointing,
    OverlappingCallbacks,
    PlateauWarning,
    StopOnNonFinite,
    StopOnSignal,
    TrainingLog,
    Validation,
)
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)
from tests.batches import Batches, make_batch

pytestmark = pytest.mark.heavy


@pytest.fixture
def model(pretraining_model):
    # A graph takes seconds to trace; only the first test below needs one.
    pretraining_model.compile(Lamb(0.01), run_eagerly=True)
    return pretraining_model


def test_rows_hold_means_since_the_last_row_and_validations(
    model, tiny_config, rng, tmp_path
):
    model.compile(Lamb(0.01))
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
        global_batch_size=8,
        validations=[Validation(lambda: next(validations), frequency=4)],
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
    assert totals[3][1] == 16  # two batches of eight since the last row
    for row in rows[1:]:
        assert row["tokens_per_second"] == pytest.approx(
            96 * row["updates_per_second"]
        )
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = [event.step for event in board.Tensors("sop_loss")]
    assert shown == [2, 4, 5]


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


class SignalAt(keras.callbacks.Callback):
    """Sends a signal to this process in the given update."""

    def __init__(self, update, number):
        super().__init__()
        self.update, self.number = update, number

    def on_train_batch_begin(self, batch, logs=None):
        if batch + 1 == self.update:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_the_update_and_what_was_done_is_saved(
    model, tiny_config, rng, tmp_path, number
):
    handler = signal.getsignal(number)
    batches = [make_batch(rng, tiny_config) for _ in range(6)]
    stop = StopOnSignal(first_step=10)
    model.fit(
        Batches(batches),
        shuffle=False,
        verbose=0,
        callbacks=[
            stop,
            SignalAt(3, number),
            Checkpointing(tmp_path, frequency=100, first_step=10),
        ],
    )
    assert stop.stopped and stop.step == 13
    assert int(model.optimizer.iterations) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000013"]
    assert signal.getsignal(number) is handler


def test_a_second_ctrl_c_ends_at_once(model, tiny_config, rng):
    batches = [make_batch(rng, tiny_config) for _ in range(2)]
    twice = [SignalAt(1, signal.SIGINT), SignalAt(1, signal.SIGINT)]
    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(
                Batches(batches),
                verbose=0,
                callbacks=[StopOnSignal(), *twice],
            )
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_without_a_signal_nothing_stops(model, tiny_config, rng):
    stop = StopOnSignal()
    batches = [make_batch(rng, tiny_config) for _ in range(2)]
    model.fit(Batches(batches), verbose=0, callbacks=[stop])
    assert not stop.stopped and stop.step == 2


def test_an_overflow_under_loss_scaling_is_no_reason_to_stop(
    pretraining_model, tiny_config, rng
):
    optimizer = keras.optimizers.LossScaleOptimizer(Lamb(0.01))
    pretraining_model.compile(optimizer)
    stop = StopOnNonFinite()
    stop.set_model(pretraining_model)
    stop.on_train_begin()
    stop.on_train_batch_end(0, {"gradient_norm": float("inf"), "loss": 1.0})
    with pytest.raises(FloatingPointError, match="loss is nan.*on rank 0"):
        stop.on_train_batch_end(1, {"loss": float("nan")})


def test_skipped_updates_are_counted(
    pretraining_model, tiny_config, rng, tmp_path
):
    optimizer = keras.optimizers.LossScaleOptimizer(
        Lamb(0.01), initial_scale=1e38
    )
    pretraining_model.compile(optimizer, run_eagerly=True)
    log = TrainingLog(tmp_path, 1, 96, 8)
    batches = [make_batch(rng, tiny_config) for _ in range(3)]
    pretraining_model.fit(
        Batches(batches), shuffle=False, verbose=0, callbacks=[log]
    )
    rows = read_metrics(tmp_path / METRICS_FILE)
    applied = int(pretraining_model.optimizer.iterations)
    assert applied < 3
    assert rows[-1]["skipped_updates"] == 3 - applied


class Unfinished:
    """A metric that is still being computed; records who waits for it."""

    def __init__(self, value, waited_for):
        self.value, self.waited_for = value, waited_for

    def __float__(self):
        self.waited_for.append(self.value)
        return self.value


def test_nothing_waits_for_an_update_unless_it_is_logged_or_saved(
    model, tmp_path, monkeypatch
):
    monkeypatch.setattr(TrainingLog, "_log", lambda self, validations: None)
    log = TrainingLog(tmp_path, 3, 96, 8)
    callbacks = OverlappingCallbacks(
        [
            StopOnNonFinite(),
            log,
            Checkpointing(tmp_path, frequency=100),
        ],
        model=model,
    )
    waited_for, after = [], []
    callbacks.on_train_begin()
    for update in range(1, 7):
        metric = Unfinished(float(update), waited_for)
        callbacks.on_train_batch_end(update - 1, {"loss": metric})
        after.append(set(waited_for))
    log.on_train_end()
    # Update 1 compiles; 3 and 6 are logged; the others only wait for the
    # previous update, which is done.
    assert after == [
        {1},
        {1},
        {1, 2, 3},
        {1, 2, 3},
        {1, 2, 3, 4},
        {1, 2, 3, 4, 5, 6},
    ]


def test_a_loss_that_is_no_number_is_found_an_update_later_or_at_the_end(
    model,
):
    stop = StopOnNonFinite(first_step=10)
    stop.set_model(model)
    stop.on_train_begin()
    stop.on_train_batch_end(0, {"loss": Unfinished(math.nan, [])})
    with pytest.raises(FloatingPointError, match="loss is nan at update 11"):
        stop.on_train_batch_end(1, {"loss": Unfinished(1.0, [])})
    stop.on_train_batch_end(2, {"loss": Unfinished(math.inf, [])})
    with pytest.raises(FloatingPointError, match="loss is inf at update 13"):
        stop.on_train_end()
