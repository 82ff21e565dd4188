"""Reads a run from its directory, for reports."""

import dataclasses
import json
import statistics
from pathlib import Path

from albert_keras.evaluation.task_evaluation import EVALUATION_FILE
from albert_keras.reporting.curves import VALIDATION, Panel
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)
from albert_keras.training.runs.run_directory import RunDirectory
from albert_keras.training.runs.run_history import read_starts

# Titles by column of metrics.csv, in the order of the report. Other columns
# follow under their own names.
TITLES = {
    "loss": "Loss",
    "mlm_loss": "Masked-LM loss (nats)",
    "mlm_accuracy": "Masked-LM accuracy",
    "sop_loss": "Sentence-order loss (nats)",
    "sop_accuracy": "Sentence-order accuracy",
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm, before clipping",
    "weight_norm": "Weight norm",
    "tokens_per_second": "Throughput (tokens per second)",
    "communication_share": "Share of the time in the all-reduce",
}
# Columns that repeat those above in other units.
_NOT_SHOWN = {
    "step",
    "updates_per_second",
    "sequences_per_second",
    "tokens_per_second_per_rank",
    "communication_seconds",
}


@dataclasses.dataclass(frozen=True)
class RecordedRun:
    """A run as recorded in its directory.

    Attributes:
        path: The directory.
        settings: The settings that it was started with.
        rows: Rows of `metrics.csv`, see `read_metrics`.
        starts: When it was started and resumed, see `run_history`.
        scores: Metrics of a fine-tuning run's evaluations, by "last" and
            "best".
    """

    path: Path
    settings: dict
    rows: list
    starts: list
    scores: dict

    @classmethod
    def read(cls, directory):
        """Reads a run's directory.

        Raises:
            ValueError: If the directory holds no run, the run has no metrics
                yet, or a file is damaged.
        """
        path = Path(directory)
        run = RunDirectory(path)
        if not run.settings_path.is_file():
            raise ValueError(
                f"{path} is not the directory of a run: it has no "
                f"{run.settings_path.name}. Pass the `output_dir` of a "
                "pretraining or fine-tuning run."
            )
        return cls(
            path=path,
            settings=run.read_settings(),
            rows=_read_rows(path / METRICS_FILE),
            starts=read_starts(path),
            scores={
                name: _read_json(file)
                for name, file in (
                    ("last", path / EVALUATION_FILE),
                    ("best", path / "best" / EVALUATION_FILE),
                )
                if file.is_file()
            },
        )

    @property
    def is_pretraining(self):
        return any({"mlm_loss", "sop_loss"} & set(row) for row in self.rows)

    @property
    def updates(self):
        """Updates done when the last row was written."""
        return self.rows[-1]["step"]

    def metrics(self):
        """Names of the metrics to draw, those of `TITLES` first."""
        names = {
            name.removeprefix(VALIDATION) for row in self.rows for name in row
        } - _NOT_SHOWN
        known = [name for name in TITLES if name in names]
        return known + sorted(names - set(known))

    def median(self, name):
        """The median of a column; None if the column is empty."""
        values = [row[name] for row in self.rows if name in row]
        return statistics.median(values) if values else None


def panels_of(runs, unigram_entropy=None):
    """Makes a `Panel` for each metric that any of the runs has.

    Args:
        runs: `RecordedRun`s.
        unigram_entropy: Unigram entropy of the runs' corpus: the masked-LM
            loss of a model that has learned only token frequencies.
    """
    levels = {"sop_accuracy": {"chance": 0.5}}
    if unigram_entropy is not None:
        levels["mlm_loss"] = {"unigram entropy": unigram_entropy}
    names = {name: None for run in runs for name in run.metrics()}
    order = [name for name in TITLES if name in names]
    return [
        Panel(TITLES.get(name, name), name, levels.get(name, {}))
        for name in dict.fromkeys([*order, *names])
    ]


def settings_table(runs):
    """Returns settings as rows `(name, values)`: differing and equal ones.

    The value is None if a run does not have the setting.
    """
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = [
        (name, [run.settings.get(name) for run in runs])
        for name in names
        if name not in ("output_dir", "resume")
    ]
    differing = [row for row in rows if any(v != row[1][0] for v in row[1])]
    return differing, [row for row in rows if row not in differing]


def _read_rows(path):
    try:
        rows = read_metrics(path)
    except FileNotFoundError:
        rows = []
    if not rows:
        raise ValueError(
            f"{path} has no rows yet. Wait until the run has logged its first "
            "updates."
        )
    return rows


def _read_json(path):
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged: {error}. Evaluate the model again."
        ) from error
