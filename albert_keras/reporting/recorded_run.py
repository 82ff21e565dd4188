"""What a run directory tells of its run."""

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

# By column of metrics.csv, in the order in which they are shown; what is not
# here is shown under its own name, behind these.
TITLES = {
    "loss": "Loss",
    "mlm_loss": "Masked-LM loss (nats)",
    "mlm_accuracy": "Masked-LM accuracy",
    "sop_loss": "Sentence-order loss (nats)",
    "sop_accuracy": "Sentence-order accuracy",
    "learning_rate": "Learning rate",
    "gradient_norm": "Gradient norm, before clipping",
    "weight_norm": "Weight norm",
    "tokens_per_second": "Throughput (tokens a second)",
    "communication_share": "Share of the time in the all-reduce",
}
# The same as `tokens_per_second`, in other units.
_NOT_SHOWN = {
    "step",
    "updates_per_second",
    "sequences_per_second",
    "tokens_per_second_per_rank",
    "communication_seconds",
}


@dataclasses.dataclass(frozen=True)
class RecordedRun:
    """A run as its directory has it.

    Attributes:
        path: The directory.
        settings: What it was started with.
        rows: Of `metrics.csv`, see `read_metrics`.
        starts: When it was started and resumed, see `run_starts`.
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
            ValueError: If it holds no run, or one without metrics yet, or a
                file is damaged.
        """
        path = Path(directory)
        run = RunDirectory(path)
        if not run.settings_path.is_file():
            raise ValueError(
                f"{path} is no run's directory: it has no "
                f"{run.settings_path.name}. Pass the --output_dir of a "
                "pretraining or fine-tuning."
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
        """Names of what can be drawn, those of `TITLES` first."""
        names = {
            name.removeprefix(VALIDATION) for row in self.rows for name in row
        } - _NOT_SHOWN
        known = [name for name in TITLES if name in names]
        return known + sorted(names - set(known))

    def median(self, name):
        """The median of a column, None where it is empty."""
        values = [row[name] for row in self.rows if name in row]
        return statistics.median(values) if values else None


def panels_of(runs, unigram_entropy=None):
    """A `Panel` for each metric that any of the runs has.

    Args:
        runs: `RecordedRun`s.
        unigram_entropy: Of the corpus of all of them; beside the loss it
            shows what a model has that knows the pieces' frequencies alone.
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
    """Settings as rows `(name, values)`, those that differ and the others.

    A setting that a run does not have is None.
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
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged: {error!r}. A resumed run needs it whole, too."
        ) from error
    if not rows:
        raise ValueError(
            f"{path} has no row yet. Wait until the run has logged its first "
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
