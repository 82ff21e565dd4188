"""The best model is saved, and a run without improvement can stop."""

from albert_keras.training.callbacks import KeepBest


def call(best, scores, first=1):
    for step, score in enumerate(scores, first):
        best(step, {"f1": score, "loss": -score})


def test_it_saves_at_each_best_score_and_no_other():
    saved = []
    best = KeepBest("f1", lambda: saved.append(best.best_step))
    call(best, [0.2, 0.5, 0.5, 0.4, 0.6])
    assert saved == [1, 2, 5]
    assert (best.best_step, best.best) == (5, 0.6)
    assert not best.should_stop


def test_it_stops_after_its_patience():
    best = KeepBest("f1", lambda: None, patience=2)
    call(best, [0.5, 0.4])
    assert not best.should_stop
    call(best, [0.6, 0.6, 0.1], first=3)
    assert best.should_stop


def test_a_resumed_run_knows_what_was_before():
    saved = []
    best = KeepBest(
        "f1", lambda: saved.append(1), patience=3, earlier=[(5, 0.9), (10, 0.8)]
    )
    call(best, [0.85], first=15)
    assert saved == [] and best.best_step == 5 and not best.should_stop
    call(best, [0.7], first=20)
    assert best.should_stop


def test_a_score_that_is_no_number_is_never_the_best():
    saved = []
    best = KeepBest("f1", lambda: saved.append(1))
    call(best, [0.3, float("nan"), 0.2])
    assert saved == [1] and best.best == 0.3
