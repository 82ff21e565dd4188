"""Fine-tunes on several GLUE tasks with several seeds, for a table of medians.

The ALBERT paper reports the median of five runs on the development set where
the variance is large (section 4.2.2), and starts RTE, STS-B and MRPC from a
model fine-tuned on MNLI.
"""

import contextlib
import dataclasses
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from albert_keras.data.tasks.glue import GLUE_TASKS
from albert_keras.evaluation.task_evaluation import EVALUATION_FILE
from albert_keras.files.atomic_write import atomic_file
from albert_keras.files.directory_lock import DirectoryLock
from albert_keras.files.strict_json import parse_json
from albert_keras.training import distributed
from albert_keras.workflows.finetune import BEST, write_json
from albert_keras.workflows.settings.task_settings import (
    GlueSettings,
    GlueTaskName,
)

# The tasks of the paper's table of single models, in its order.
TABLE_TASKS: tuple[GlueTaskName, ...] = (
    *("MNLI", "QNLI", "QQP", "RTE", "SST-2", "MRPC", "CoLA", "STS-B"),
)
FROM_MNLI = ("RTE", "MRPC", "STS-B")
RESULT_FILE = "result.json"
TABLE_FILE = "glue_table.json"
TABLE_TEXT = "glue_table.md"


def run_table(settings: GlueSettings, tokenizer: Any, train: Callable) -> Path:
    """Makes every run that is not finished, and writes the table.

    The runs are in `TASK/seed-N` of the output directory. A finished one has
    a result.json with its settings and scores, and is not repeated; the table
    is written after each run.

    Args:
        settings: With `task="all"` or several `seeds`.
        tokenizer: The tokenizer of `settings.pretrained`.
        train: `(settings, tokenizer) -> run directory`, a single run.

    Returns:
        The output directory.

    Raises:
        ValueError: If the directory holds something else, runs of other
            settings, or no task has files.
    """
    directory = Path(settings.output_dir)
    tasks = tasks_of(settings)
    runs = [
        run_settings(settings, task, settings.seed + number)
        for task in tasks
        for number in range(settings.seeds)
    ]
    distributed.on_first_rank(lambda: _check_directory(settings, runs))
    lock: Any = contextlib.nullcontext()
    if distributed.rank() == 0:
        lock = DirectoryLock(directory, "A series of runs")
    with lock:
        for number, run in enumerate(runs):
            if _read_result(run) is not None:
                distributed.say(f"{run.output_dir} is finished.")
                continue
            distributed.say(
                f"\nRun {number + 1} of {len(runs)}: {run.task}, seed "
                f"{run.seed}."
            )
            start = _best_on_mnli(runs) if run.task in FROM_MNLI else None
            _make_run(run, start or run.pretrained, tokenizer, train)
            distributed.on_first_rank(lambda: write_table(directory, runs))
        distributed.on_first_rank(lambda: write_table(directory, runs))
    if distributed.rank() == 0:
        text = (directory / TABLE_TEXT).read_text(encoding="utf-8")
        print(f"\n{text}\nTable: {directory / TABLE_TEXT}, {TABLE_FILE}.")
    return directory


def tasks_of(settings: GlueSettings) -> Sequence[str]:
    """The tasks to run: one, or all of the paper's table that have files."""
    if settings.task != "all":
        return [settings.task]
    folder = Path(settings.data_dir)
    tasks = [t for t in TABLE_TASKS if (folder / t / "train.tsv").is_file()]
    if not tasks:
        raise ValueError(
            f"`data_dir` {folder} must hold folders of GLUE tasks with "
            f"train.tsv, such as {folder / 'RTE'}. Received: none of "
            f"{', '.join(TABLE_TASKS)}."
        )
    if missing := [task for task in TABLE_TASKS if task not in tasks]:
        distributed.say(f"{folder} has no files of: {', '.join(missing)}.")
    return tasks


def run_settings(settings: GlueSettings, task: str, seed: int) -> GlueSettings:
    """Settings of a single run."""
    directory = Path(settings.output_dir) / task / f"seed-{seed}"
    return dataclasses.replace(
        settings,
        task=task,  # type: ignore[arg-type]
        seed=seed,
        seeds=1,
        output_dir=str(directory),
        name="-".join(filter(None, (settings.name, task, str(seed)))),
    )


def write_table(directory: Path, runs: list[GlueSettings]) -> None:
    """Writes the medians of all finished runs, as JSON and as text.

    Args:
        directory: Where to write.
        runs: Settings of all runs.
    """
    scores: dict[str, dict[str, Any]] = {}
    for run in runs:
        if (result := _read_result(run)) is not None:
            scores.setdefault(run.task, {})[str(run.seed)] = result["scores"]
    table = {
        task: {
            "metric": GLUE_TASKS[task].metrics[0],
            "runs": len(by_seed),
            "median": medians(by_seed.values()),
            "scores_by_seed": by_seed,
        }
        for task, by_seed in scores.items()
    }
    write_json(directory / TABLE_FILE, table)
    with atomic_file(directory / TABLE_TEXT, encoding="utf-8") as file:
        file.write(table_text(table, len(runs)))


def medians(scores: Any) -> dict[str, float]:
    """The median of each score over the runs."""
    scores = list(scores)
    return {
        name: statistics.median(run[name] for run in scores)
        for name in scores[0]
    }


def table_text(table: dict[str, Any], num_runs: int) -> str:
    """The table as Markdown: medians of the tasks' main scores, in percent.

    The average over the tasks is in the last column.
    """
    if not table:
        return "No run is finished.\n"
    finished = sum(row["runs"] for row in table.values())
    values = {
        task: 100 * row["median"][row["metric"]] for task, row in table.items()
    }
    values["average"] = statistics.mean(values.values())
    names = {
        task: f"{task} ({row['metric']}, {row['runs']})"
        for task, row in table.items()
    }
    lines = (
        [names.get(name, name) for name in values],
        ["---"] * len(values),
        [f"{value:.1f}" for value in values.values()],
    )
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return (
        f"Medians on GLUE's development sets, {finished} of {num_runs} runs "
        f"(in brackets: score, number of runs).\n\n{rows}\n"
    )


# === Single runs ===


def _make_run(run, pretrained, tokenizer, train):
    """Trains from a model, and records the scores of the best one."""
    keras.utils.clear_session()
    train(dataclasses.replace(run, pretrained=pretrained), tokenizer)
    directory = Path(run.output_dir)

    def record():
        path = directory / BEST / EVALUATION_FILE
        if not path.is_file():
            path = directory / EVALUATION_FILE
        scores = parse_json(path.read_text(encoding="utf-8"))
        result = {"settings": _record(run), "scores": scores}
        write_json(directory / RESULT_FILE, result)

    distributed.on_first_rank(record)


def _record(run):
    """The settings that determine a run's result, as JSON has them."""
    kept = dataclasses.asdict(run)
    for name in run.MAY_CHANGE:
        kept.pop(name, None)
    return json.loads(json.dumps(kept))


def _read_result(run):
    """Settings and scores of a finished run, or None."""
    path = Path(run.output_dir) / RESULT_FILE
    if not path.is_file():
        return None
    return parse_json(path.read_text(encoding="utf-8"))


def _best_on_mnli(runs):
    """The best model of the runs on MNLI; None if it is not to be used."""
    finished = [
        (run.output_dir, result["scores"]["accuracy"])
        for run in runs
        if run.task == "MNLI" and (result := _read_result(run)) is not None
    ]
    if not finished or not runs[0].from_mnli:
        return None
    directory = Path(max(finished, key=lambda pair: pair[1])[0])
    best = directory / BEST
    return str(best if best.is_dir() else directory)


def _check_directory(settings, runs):
    """Raises if the directory is in use for something else."""
    directory = Path(settings.output_dir)
    if directory.is_file():
        raise ValueError(f"{directory} is a file. Pass a directory.")
    known = {run.task for run in runs} | {TABLE_FILE, TABLE_TEXT, *TABLE_TASKS}
    names = {p.name for p in directory.glob("*") if not p.name.startswith(".")}
    if others := sorted(names - known):
        raise ValueError(
            f"{directory} holds something other than a series of runs: "
            f"{', '.join(others[:8])}. Pass another `output_dir`."
        )
    if names and not settings.resume:
        raise ValueError(
            f"{directory} holds a series of runs. Pass `resume=True` to make "
            "those that are not finished, or another `output_dir`."
        )
    for run in runs:
        result = _read_result(run)
        if result is None:
            continue
        before, now = result["settings"], _record(run)
        changed = sorted(k for k in now if before.get(k, now[k]) != now[k])
        if changed:
            raise ValueError(
                f"{run.output_dir} was made with other settings: "
                + ", ".join(f"`{n}` {before[n]!r}" for n in changed)
                + ". Pass the same, or another `output_dir`."
            )
