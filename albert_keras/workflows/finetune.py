"""The story that all fine-tuning recipes tell.

A recipe reads its files into a `Task`; what follows is the same for all:
compile, resume, `fit` with evaluations in between, keep the best, say how it
ended.
"""

import dataclasses
import json
from typing import Any

import keras

from albert_keras.data.tasks.example_batches import Examples, TrainingBatches
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_directory, atomic_file
from albert_keras.optimizers import layer_wise_factors
from albert_keras.reporting.curves import Panel, plot_curves
from albert_keras.training import distributed
from albert_keras.training.callbacks import KeepBest, Validation
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)
from albert_keras.training.runs.training_run import TrainingRun
from albert_keras.workflows.compile_model import compile_model
from albert_keras.workflows.finetuning_settings import TaskDefaults

DATA_REPORT = "data_report.json"
BEST = "best"


@dataclasses.dataclass
class Task:
    """What a recipe brings.

    Attributes:
        name: Of the task, to be shown.
        defaults: Its `TaskDefaults`.
        training: Training rows.
        tokenizer: Saved along with the model.
        model_class: Of the model that is fine-tuned.
        arguments: Of that class, beside the dropout.
        evaluation: The `TaskEvaluation`; None without a dev file.
        card: What the model card says of the data.
        report: What was not used as it stands, for data_report.json.
    """

    name: str
    defaults: TaskDefaults
    training: Examples
    tokenizer: Any
    model_class: type
    evaluation: TaskEvaluation | None = None
    arguments: dict = dataclasses.field(default_factory=dict)
    card: str = ""
    report: dict = dataclasses.field(default_factory=dict)


def finetune(settings, task):
    """Fine-tunes, and returns the run's directory.

    Args:
        settings: `FinetuningSettings`, checked; `distributed.initialize` was
            called.
        task: The `Task`.
    """
    if not len(task.training):
        raise ValueError(
            f"{task.name}: no training row is left. See what was left out "
            "above, and pass a file with usable rows."
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
    check_length(task.training, model)
    compile_for(settings, task.defaults, plan, model)
    run.start(model)
    if distributed.rank() == 0:
        write_json(run.directory.path / DATA_REPORT, task.report)
    announce(settings, task, plan, model, run.first_step)
    model.card.update(make_card(settings, task, plan))

    def export(path):
        model.write_pretrained(path, task.tokenizer)

    run.fit(
        model,
        make_batches(settings, task.training, plan),
        plan.total_steps,
        settings.name or task.name,
        tokens_per_row=task.training.max_length,
        export=export,
        validations=evaluate_while_training(settings, task, run, model),
    )
    if distributed.rank() == 0:
        finish(task, run)
    return run.directory.path


def check_length(examples, model):
    """Raises where rows are longer than the model's positions."""
    positions = model.config.max_sequence_length
    if examples.max_length > positions:
        raise ValueError(
            f"--max_seq_length {examples.max_length} is longer than the "
            f"model's {positions} positions. Pass {positions} or less."
        )


def with_plan(settings, plan):
    """The settings with the evaluations' frequency as a number."""
    return dataclasses.replace(
        settings, validation_frequency=plan.validation_frequency
    )


def make_batches(settings, examples, plan):
    """This rank's training batches, without end."""
    return TrainingBatches(
        examples,
        plan.global_batch_size // distributed.size(),
        seed=settings.seed,
        rank=distributed.rank(),
        size=distributed.size(),
        group_by_length=settings.group_by_length,
    )


def compile_for(settings, defaults, plan, model):
    """Compiles with the schedule and the optimizer of the settings."""
    compile_model(
        settings,
        model,
        settings.peak_learning_rate(defaults),
        plan.warmup_steps,
        plan.total_steps,
        learning_rate_factors=layer_wise_factors(
            model.config.num_groups, settings.layer_wise_learning_rate_decay
        ),
    )


# === Evaluation ===


def evaluate_while_training(settings, task, run, model):
    """The `Validation` of a run; none without a dev file."""
    evaluation = task.evaluation
    if evaluation is None:
        return ()

    def save():
        if distributed.rank() == 0:
            with atomic_directory(run.directory.path / BEST) as directory:
                model.write_pretrained(directory, task.tokenizer)
                evaluation.write(directory)

    path = run.directory.path / METRICS_FILE
    rows = read_metrics(path) if run.first_step and path.is_file() else []
    name = f"val_{evaluation.metric}"
    best = KeepBest(
        evaluation.metric,
        save if settings.keep_best else lambda: None,
        settings.early_stopping_patience,
        earlier=[
            (row["step"], row[name])
            for row in rows
            if row["step"] <= run.first_step and name in row
        ],
    )

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
            distributed.say(
                f"Stopping early: no better {evaluation.metric} than "
                f"{best.best:.4g} of update {best.best_step:,} in "
                f"{best.without_better} evaluations."
            )
            model.stop_training = True

    return (
        Validation(
            lambda: evaluation(model),
            run.settings.validation_frequency,
            metrics=evaluation.metrics,
            first=False,  # the head is random
            report=report,
        ),
    )


def write_json(path, values):
    with atomic_file(path, encoding="utf-8") as file:
        json.dump(values, file, indent=2, ensure_ascii=False)


def describe(evaluation, metrics):
    """The logged metrics in a line."""
    return ", ".join(
        f"{name} {metrics[name]:.4g}"
        for name in evaluation.metrics
        if name in metrics
    )


# === What is printed ===


def announce(settings, task, plan, model, start):
    distributed.say(
        f"{task.name}: {len(task.training):,} training rows, "
        f"{model.count_params():,} parameters from {settings.pretrained}.\n"
        f"{plan.total_steps - start:,} updates of {plan.global_batch_size} "
        f"rows, {plan.epochs:.1f} passes in all. {settings.optimizer}, peak "
        f"learning rate {settings.peak_learning_rate(task.defaults):.3g} after "
        f"{plan.warmup_steps:,} updates."
    )
    if start:
        distributed.say(f"Going on from update {start:,}.")


def make_card(settings, task, plan):
    """What the model's card says of data and training."""
    return {
        "name": settings.name or f"ALBERT for {task.name}",
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
    """Draws the curves and says where things are."""
    path = run.directory.path
    panels = [Panel("Loss", "loss"), Panel("Learning rate", "learning_rate")]
    if task.evaluation is not None:
        panels += [Panel(name, name) for name in task.evaluation.metrics[:4]]
    figure = plot_curves(path, panels)
    print(f"\nCurves: {figure}. Models: {path} (last)", end="")
    print(f", {path / BEST} (best)." if (path / BEST).is_dir() else ".")
