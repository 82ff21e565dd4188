"""Writes a page that shows a run, or compares several.

    python recipes/report.py runs/tiny
    python recipes/report.py runs/tiny runs/small --output_file comparison.html

One HTML file without scripts, to be opened, sent or kept: curves, figures,
settings and versions; of pretraining runs also held-out examples as the newest
model fills them in. The run may still be going on. Takes ten seconds, and
longer for large models.
"""

import dataclasses
from pathlib import Path

import tyro

from albert_keras import AlbertForPretraining
from albert_keras.data import TokenStore
from albert_keras.files.run_layout import MODEL
from albert_keras.reporting.held_out_examples import fill_held_out
from albert_keras.reporting.recorded_run import RecordedRun
from albert_keras.reporting.run_report import write_report
from albert_keras.training.runs.checkpoint import newest_checkpoint
from albert_keras.training.runs.run_directory import RunDirectory
from albert_keras.workflows.parse_settings import run_recipe
from albert_keras.workflows.pretraining_data import make_validation
from albert_keras.workflows.pretraining_settings import PretrainingSettings


@dataclasses.dataclass(frozen=True)
class Settings:
    """Writes a page that shows a run, or compares several."""

    run_dirs: tyro.conf.Positional[tuple[str, ...]]
    """Directories of runs: the --output_dir of a pretraining or a
    fine-tuning."""

    output_file: str | None = None
    """The page; by default report.html, of one run in its directory."""

    data_dir: str | None = None
    """The corpus, where it is not any more where the runs found it."""

    examples: int = 4
    """Held-out examples for each pretraining run; 0 loads no model."""


def main(argv=None):
    return run_recipe("report", report, Settings, argv)


def report(settings):
    """Writes the page and returns its path."""
    if not settings.run_dirs:
        raise ValueError("Pass the directory of a run, or of several.")
    runs = [RecordedRun.read(directory) for directory in settings.run_dirs]
    notes, examples = [], []
    for run in runs if settings.examples else ():
        if not run.is_pretraining:
            continue
        try:
            examples.append((run, filled_examples(settings, run)))
        except ValueError as error:
            notes.append(f"{run.path}: no held-out examples. {error}")
    path = Path(
        settings.output_file
        or (runs[0].path if len(runs) == 1 else Path()) / "report.html"
    )
    write_report(path, runs, shared_entropy(settings, runs), examples, notes)
    for note in notes:
        print(note)
    print(f"Report: {path}.")
    return path


def filled_examples(settings, run):
    """The first of the run's validation rows, filled in by its newest model.

    Raises:
        ValueError: If corpus or model are not there, or do not fit.
    """
    started_with = pretraining_settings(run)
    if started_with.skip_mlm:
        raise ValueError("It does not learn to fill in.")
    dataset = make_validation(started_with, corpus_of(settings, run))
    model = AlbertForPretraining.from_pretrained(model_directory(run))
    return fill_held_out(model, dataset, settings.examples)


def pretraining_settings(run):
    """What a run was started with; what older runs do not know by default."""
    known = {field.name for field in dataclasses.fields(PretrainingSettings)}
    return PretrainingSettings(
        **{k: value for k, value in run.settings.items() if k in known}
    )


def corpus_of(settings, run):
    """The `TokenStore` of a pretraining run."""
    return TokenStore(settings.data_dir or run.settings["data_dir"])


def model_directory(run):
    """Where a run's newest model is.

    Raises:
        ValueError: If no checkpoint has been written yet.
    """
    places = RunDirectory(run.path, run.settings.get("checkpoint_dir"))
    newest = newest_checkpoint(places.checkpoints)
    if newest is None and not (run.path / MODEL).is_dir():
        raise ValueError(
            f"There is no checkpoint in {places.checkpoints} yet. See "
            "--checkpoint_frequency."
        )
    return newest or run.path


def shared_entropy(settings, runs):
    """The unigram entropy of the corpus, where all runs have the same."""
    try:
        entropies = {
            corpus_of(settings, run).unigram_entropy
            for run in runs
            if run.is_pretraining
        }
    except ValueError:  # no such corpus any more
        return None
    return entropies.pop() if len(entropies) == 1 else None


if __name__ == "__main__":
    main()
