"""Writes an HTML report on a run, or a comparison of several.

    python recipes/report.py runs/tiny
    python recipes/report.py runs/tiny runs/small --output_file comparison.html

The report is one HTML file without scripts: curves, results, settings and
versions; for pretraining runs also held-out examples, filled in by the newest
model. Also works during a run. Takes ten seconds, longer for large models.
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
from albert_keras.workflows.pretraining_data import make_validation
from albert_keras.workflows.pretraining_model import check_corpus_vocabulary
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Writes an HTML report on a run, or a comparison of several."""

    run_dirs: tyro.conf.Positional[tuple[str, ...]]
    """Run directories: the --output_dir of pretraining or fine-tuning."""

    output_file: str | None = None
    """File of the report; by default report.html, for one run in its
    directory."""

    data_dir: str | None = None
    """Corpus, if it has moved since the runs."""

    examples: int = 4
    """Held-out examples per pretraining run; 0 loads no model."""


def main(argv=None):
    return run_recipe("report", report, Settings, argv)


def report(settings):
    """Writes the report, and returns its path."""
    if not settings.run_dirs:
        raise ValueError("Pass one or more run directories.")
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
    """The first validation rows of a run, filled in by its newest model.

    Raises:
        ValueError: If corpus or model are missing or do not match.
    """
    run_settings = pretraining_settings(run)
    if run_settings.skip_mlm:
        raise ValueError("The run does not train masked-language modeling.")
    store = corpus_of(settings, run)
    check_corpus_vocabulary(model_directory(run), store)
    dataset = make_validation(run_settings, store)
    model = AlbertForPretraining.from_pretrained(model_directory(run))
    return fill_held_out(model, dataset, settings.examples)


def pretraining_settings(run):
    """A run's settings, with defaults for those that older runs lack."""
    known = {field.name for field in dataclasses.fields(PretrainingSettings)}
    return PretrainingSettings(
        **{k: value for k, value in run.settings.items() if k in known}
    )


def corpus_of(settings, run):
    """The `TokenStore` of a pretraining run."""
    return TokenStore(settings.data_dir or run.settings["data_dir"])


def model_directory(run):
    """Directory of a run's newest model.

    Raises:
        ValueError: If there is no checkpoint yet.
    """
    directory = RunDirectory(run.path, run.settings.get("checkpoint_dir"))
    newest = newest_checkpoint(directory.checkpoints)
    if newest is None and not (run.path / MODEL).is_dir():
        raise ValueError(
            f"There is no checkpoint in {directory.checkpoints} yet. Wait for "
            "the first, see --checkpoint_frequency of the run's recipe."
        )
    return newest or run.path


def shared_entropy(settings, runs):
    """The corpus's unigram entropy, if it is the same for all runs."""
    try:
        entropies = {
            corpus_of(settings, run).unigram_entropy
            for run in runs
            if run.is_pretraining
        }
    except ValueError:  # the corpus no longer exists
        return None
    return entropies.pop() if len(entropies) == 1 else None


if __name__ == "__main__":
    main()
