"""Fine-tunes a model on a task; shared by all fine-tuning recipes.

A recipe reads its files into a `Task`. The rest is the same for all: compile,
resume, `fit` with evaluations, keep the best model, report the result.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from albert_keras.data.tasks.example_batches import Examples, TrainingBatches
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_directory, atomic_file
from albert_keras.optimizers import layer_wise_factors
from albert_keras.reporting.curves import Panel, plot_curves
from albert_keras.tokenization.same_vocabulary import (
    check_same_vocabulary,
    check_vocabulary_size,
)
from albert_keras.training import distributed
from albert_keras.training.callbacks import KeepBest, Validation
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)
from albert_keras.training.runs.training_run import TrainingRun
from albert_keras.workflows.compile_model import compile_model
from albert_keras.workflows.settings.finetuning_settings import (
    FinetuningSettings,
    TaskDefaults,
)

DATA_REPORT = "data_report.json"
BEST = "best"


@dataclasses.dataclass
class Task:
    """A task to fine-tune a model on.

    Attributes:
        name: Name to show.
        defaults: Published hyperparameters of the task.
        training: Training rows.
        tokenizer: Tokenizer to save with the model.
        model_class: Class of the model.
        arguments: Further arguments of the model, other than dropout.
        loss: As for `compile`; None is the model's own.
        evaluation: Evaluation on the dev file; None without one.
        card: Description of the data for the model card.
        report: What was omitted or truncated, for data_report.json.
        describe_data: Returns descriptions of the files, see
            `check_same_data`.
        draw_figures: Draws the last evaluation in a directory, and returns
            the paths.
    """

    name: str
    defaults: TaskDefaults
    training: Examples
    tokenizer: Any
    model_class: Any
    evaluation: TaskEvaluation | None = None
    arguments: dict = dataclasses.field(default_factory=dict)
    loss: Any = None
    card: str = ""
    report: dict = dataclasses.field(default_factory=dict)
    describe_data: Callable[[], dict[str, Any]] | None = None
    draw_figures: Callable[[Path], list[Path]] = lambda directory: []


def finetune(settings: FinetuningSettings, task: Task) -> Path:
    """Fine-tunes a model, and returns the run directory.

    Args:
        settings: Checked settings; call `distributed.initialize` before.
        task: The task.
    """
    if not len(task.training):
        raise ValueError(
            f"{task.name}: no training row is left. See above which rows were "
            "omitted, and pass a file with usable ones."
        )
    plan = settings.plan(
        task.defaults, len(task.training), distributed.replicas()
    )
    run = TrainingRun(with_plan(settings, plan), plan.global_batch_size)
    keras.utils.set_random_seed(settings.seed)
    model = task.model_class.from_pretrained(
        settings.pretrained,
        dtype=settings.precision,
        dropout=settings.classifier_dropout_prob,
        **task.arguments,
        **settings.dropouts(task.defaults),
    )
    check_fits(task.training, model)
    compile_for(settings, task.defaults, plan, model, task.loss)
    run.start(
        model,
        describe_data=task.describe_data,
        check=lambda checkpoint: check_same_vocabulary(
            checkpoint,
            task.tokenizer,
            settings.vocabulary or settings.pretrained,
            "Resume with the vocabulary of the run.",
        ),
    )
    if distributed.rank() == 0:
        write_json(run.directory.path / DATA_REPORT, task.report)
    announce(settings, task, plan, model, run.first_step)
    model.card.update(make_card(settings, task, plan))

    def export(path):
        model.write_pretrained(path, task.tokenizer)

    best = find_best(settings, task, run, model)
    total_steps = plan.total_steps
    if run.first_step and best.should_stop:
        say_stopped(best)
        total_steps = run.first_step
    run.fit(
        model,
        make_batches(settings, task.training, plan),
        total_steps,
        settings.name or task.name,
        tokens_per_row=task.training.sequence_length,
        export=export,
        validations=evaluate_while_training(task, run, model, best),
    )
    if distributed.rank() == 0:
        finish(task, run)
    return run.directory.path


def check_fits(examples, model):
    """Raises if the model has too few position or token embeddings for rows."""
    check_vocabulary_size(examples.tokenizer, model)
    positions = model.config.max_sequence_length
    if examples.sequence_length > positions:
        raise ValueError(
            f"--max_seq_length {examples.sequence_length} is longer than the "
            f"model's {positions} positions. Pass {positions} or less."
        )


def with_plan(settings, plan):
    """The settings with the plan's validation frequency."""
    return dataclasses.replace(
        settings, validation_frequency=plan.validation_frequency
    )


def make_batches(settings, examples, plan):
    """Endless training batches of this rank."""
    return TrainingBatches(
        examples,
        plan.global_batch_size // distributed.size(),
        seed=settings.seed,
        rank=distributed.rank(),
        size=distributed.size(),
        group_by_length=settings.group_by_length,
    )


def compile_for(settings, defaults, plan, model, loss=None):
    """Compiles a model for a plan."""
    compile_model(
        settings,
        model,
        settings.peak_learning_rate(defaults),
        plan.warmup_steps,
        plan.total_steps,
        loss,
        learning_rate_factors=layer_wise_factors(
            model.config.num_groups, settings.layer_wise_learning_rate_decay
        ),
    )


# === Evaluation ===


def find_best(settings, task, run, model):
    """Keeps the best model, knowing the evaluations before this start."""
    evaluation = task.evaluation
    metric = evaluation.metric if evaluation is not None else ""

    def save():
        if distributed.rank() == 0:
            with atomic_directory(run.directory.path / BEST) as directory:
                model.write_pretrained(directory, task.tokenizer)
                evaluation.write(directory)

    path = run.directory.path / METRICS_FILE
    rows = read_metrics(path) if run.first_step and path.is_file() else []
    name = f"val_{metric}"
    return KeepBest(
        metric,
        save if settings.keep_best else lambda: None,
        settings.early_stopping_patience,
        earlier=[
            (row["step"], row[name])
            for row in rows
            if row["step"] <= run.first_step and name in row
        ],
    )


def evaluate_while_training(task, run, model, best):
    """The `Validation`s of a run: one, or none without a dev file."""
    evaluation = task.evaluation
    if evaluation is None:
        return ()

    def report(step, metrics):
        distributed.say(f"\nUpdate {step:,}: {describe(evaluation, metrics)}")
        model.card["scores"] = {
            "update": step,
            **{name: f"{value:.4f}" for name, value in metrics.items()},
        }
        if distributed.rank() == 0:
            evaluation.write(run.directory.path)
        best(step, metrics)
        if best.should_stop and step > run.first_step:
            say_stopped(best)
            model.stop_training = True

    return (
        Validation(
            lambda: evaluation(model),
            run.settings.validation_frequency,
            metrics=evaluation.metrics,
            first=False,  # the head is still random
            report=report,
        ),
    )


def say_stopped(best):
    """Prints why a run stops early."""
    distributed.say(
        f"Stopping early: no better {best.metric} than {best.best:.4g} (update "
        f"{best.best_step:,}) in {best.without_better} evaluations."
    )


def write_json(path, values):
    with atomic_file(path, encoding="utf-8") as file:
        json.dump(values, file, indent=2, ensure_ascii=False)


def describe(evaluation, metrics):
    """The logged metrics on one line."""
    return ", ".join(
        f"{name} {metrics[name]:.4g}"
        for name in evaluation.metrics
        if name in metrics
    )


# === Printed output ===


def announce(settings, task, plan, model, start):
    """Prints the size of the task and the hyperparameters."""
    distributed.say(
        f"{task.name}: {len(task.training):,} training rows, "
        f"{model.count_params():,} parameters from {settings.pretrained}.\n"
        f"{plan.total_steps - start:,} updates of {plan.global_batch_size} "
        f"rows, {plan.epochs:.1f} epochs in total. {settings.optimizer}, peak "
        f"learning rate {settings.peak_learning_rate(task.defaults):.3g} after "
        f"{plan.warmup_steps:,} updates."
    )
    if start:
        distributed.say(f"Resuming from update {start:,}.")


def make_card(settings, task, plan):
    """Data and training for the model card."""
    return {
        "name": settings.name or f"ALBERT for {task.name}",
        "task": task.name,
        "data": task.card,
        "training": {
            "from": settings.pretrained,
            "optimizer": settings.optimizer,
            "learning_rate": settings.peak_learning_rate(task.defaults),
            "warmup_steps": plan.warmup_steps,
            "total_steps": plan.total_steps,
            "global_batch": plan.global_batch_size,
            "weight_decay": settings.weight_decay,
            "seed": settings.seed,
        },
    }


def finish(task, run):
    """Plots the curves and prints where the results are."""
    path = run.directory.path
    if not (path / METRICS_FILE).is_file():  # only the checkpoints are left
        print(f"\nModel: {path} (last).")
        return
    panels = [Panel("Loss", "loss"), Panel("Learning rate", "learning_rate")]
    if task.evaluation is not None:
        panels += [Panel(name, name) for name in task.evaluation.metrics[:4]]
    figure = plot_curves(path, panels)
    if task.evaluation is not None and task.evaluation.results is not None:
        for drawn in task.draw_figures(path):
            print(f"Figure: {drawn}.")
    print(f"\nCurves: {figure}. Models: {path} (last)", end="")
    print(f", {path / BEST} (best)." if (path / BEST).is_dir() else ".")
