"""The table of medians over GLUE's tasks and seeds."""

import dataclasses
import json
import statistics
from pathlib import Path

import numpy as np
import pytest

from albert_keras.workflows.glue_table import (
    RESULT_FILE,
    TABLE_FILE,
    TABLE_TEXT,
    run_table,
)
from albert_keras.workflows.settings.task_settings import GlueSettings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    # It collects garbage for a second.
    monkeypatch.setattr("keras.utils.clear_session", lambda: None)
    for task in ("RTE", "MNLI", "CoLA"):
        (tmp_path / "glue" / task).mkdir(parents=True)
        (tmp_path / "glue" / task / "train.tsv").write_text("")
    return GlueSettings(
        task="all",
        seeds=3,
        data_dir=str(tmp_path / "glue"),
        pretrained="start",
        output_dir=str(tmp_path / "runs"),
    )


class Trainings:
    """Records runs, whose scores are random."""

    def __init__(self, interrupt_at=None):
        self.made, self.scores = [], {}
        self.interrupt_at = interrupt_at
        self.rng = np.random.default_rng(0)

    def __call__(self, settings, tokenizer):
        if len(self.made) == self.interrupt_at:
            raise KeyboardInterrupt
        self.made.append(settings)
        directory = path_of(settings) / "best"
        directory.mkdir(parents=True)
        scores = dict(
            zip(("accuracy", "matthews"), self.rng.random(2), strict=True)
        )
        self.scores.setdefault(settings.task, []).append(scores)
        (directory / "eval_metrics.json").write_text(json.dumps(scores))


def path_of(settings):
    return Path(settings.output_dir)


def test_all_tasks_are_run_with_every_seed_and_their_medians_written(
    settings, capsys
):
    train = Trainings()
    directory = run_table(settings, None, train)
    assert [(run.task, run.seed) for run in train.made] == [
        (task, settings.seed + n)
        for task in ("MNLI", "RTE", "CoLA")
        for n in range(3)
    ]
    # RTE starts from the best model on MNLI, as in the paper.
    accuracies = [scores["accuracy"] for scores in train.scores["MNLI"]]
    best = settings.seed + int(np.argmax(accuracies))
    start = str(directory / "MNLI" / f"seed-{best}" / "best")
    assert [run.pretrained for run in train.made] == [
        *["start"] * 3,
        *[start] * 3,
        *["start"] * 3,
    ]
    table = json.loads((directory / TABLE_FILE).read_text())
    main = {"MNLI": "accuracy", "RTE": "accuracy", "CoLA": "matthews"}
    medians = []
    for task, metric in main.items():
        row = table[task]
        assert (row["metric"], row["runs"]) == (metric, 3)
        values = [scores[metric] for scores in train.scores[task]]
        assert row["median"][metric] == statistics.median(values)
        medians.append(100 * statistics.median(values))
    text = (directory / TABLE_TEXT).read_text()
    cells = " | ".join(f"{m:.1f}" for m in [*medians, np.mean(medians)])
    assert f"| {cells} |" in text and "9 of 9 runs" in text
    shown = capsys.readouterr().out
    assert text in shown
    assert "has no files of: QNLI, QQP, SST-2, MRPC, STS-B" in shown


def test_finished_runs_are_not_repeated(settings, capsys):
    first = Trainings(interrupt_at=4)
    with pytest.raises(KeyboardInterrupt):
        run_table(settings, None, first)
    text = (path_of(settings) / TABLE_TEXT).read_text()
    assert "4 of 9 runs" in text and "MNLI (accuracy, 3)" in text
    with pytest.raises(ValueError, match="Pass `resume=True` to make those"):
        run_table(settings, None, Trainings())
    resumed = dataclasses.replace(settings, resume=True)
    second = Trainings()
    directory = run_table(resumed, None, second)
    assert len(second.made) == 5 and all(run.resume for run in second.made)
    assert second.made[0].task == "RTE"
    assert "seed-42 is finished" in capsys.readouterr().out
    assert len(list(directory.glob(f"*/*/{RESULT_FILE}"))) == 9
    other = dataclasses.replace(resumed, learning_rate=1.0)
    with pytest.raises(ValueError, match="`learning_rate` None.*same"):
        run_table(other, None, Trainings())


def test_what_is_no_series_of_runs_is_refused(settings, tmp_path):
    for changes, message in (
        ({"data_dir": str(tmp_path)}, "must hold folders of GLUE tasks"),
        ({"output_dir": str(tmp_path)}, "holds something other than a series"),
    ):
        with pytest.raises(ValueError, match=message):
            run_table(
                dataclasses.replace(settings, **changes), None, Trainings()
            )
    for changes, message in (
        ({"mode": "predict"}, "--task all and --seeds are for training"),
        ({"checkpoint_dir": "ck"}, "Omit --checkpoint_dir"),
        ({"seeds": 0}, "--seeds must be above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(settings, **changes).check()
    assert not path_of(settings).exists()
