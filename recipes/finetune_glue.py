"""Fine-tunes ALBERT on a GLUE task, evaluates it, or predicts.

    python recipes/finetune_glue.py --task RTE --data_dir glue_data \
        --pretrained runs/mnli/best --output_dir runs/rte

The data directory holds the folders of the official archives, such as RTE with
`train.tsv` and `dev.tsv`. The hyperparameters default to the paper's for the
task (table 14). The paper starts RTE, STS-B and MRPC from a model fine-tuned on
MNLI, and reports small tasks as medians of five runs (`--seeds 5`). The run
directory contains settings, metrics (CSV, TensorBoard, curves.png),
checkpoints, predictions for the development set, and in `best/` the model with
the best score. The same command with `--resume` continues an interrupted run.

    python recipes/finetune_glue.py --mode evaluate --task RTE \
        --data_dir glue_data --pretrained runs/rte/best --output_dir runs/dev
    python recipes/finetune_glue.py --mode predict --task RTE \
        --data_dir glue_data --pretrained runs/rte/best \
        --output_dir submission

The last command writes the files for the benchmark's server, such as RTE.tsv;
all tasks may share one directory.

    python recipes/finetune_glue.py --task all --seeds 5 \
        --data_dir glue_data --pretrained albert_base --output_dir runs/glue

makes the paper's table of medians (`glue_table.md`), with the runs in
`runs/glue/TASK/seed-N`; `--seeds 5` alone does so for one task. With `--resume`
finished runs are not repeated, and an interrupted one continues.
"""

import functools
from pathlib import Path

from albert_keras import AlbertForSequenceClassification
from albert_keras.data.tasks.glue import GLUE_TASKS, read_glue
from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.evaluation.glue_evaluation import (
    GlueEvaluation,
    glue_predictions,
    predictions_file,
    write_predictions,
)
from albert_keras.training import distributed
from albert_keras.training.runs.same_data import describe_files
from albert_keras.workflows.evaluate import (
    by_mode,
    claim,
    evaluate_alone,
    load_fine_tuned,
    make_examples,
    predict_alone,
    say_report,
)
from albert_keras.workflows.finetune import Task, finetune
from albert_keras.workflows.glue_table import run_table
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.task_settings import (
    GLUE_DEFAULTS,
    GlueSettings,
)


def main(argv=None):
    run = by_mode(train=train, evaluate=evaluate, predict=predict)
    return run_recipe("finetune_glue", run, GlueSettings, argv)


def train(settings, tokenizer):
    """Fine-tunes and evaluates models, and returns the run directory."""
    if settings.is_series:
        return run_table(settings, tokenizer, train)
    task = GLUE_TASKS[settings.task]
    rows, training, report = make_texts(
        settings, task, tokenizer, "train.tsv", "train"
    )
    folder = Path(settings.data_dir) / task.name

    return finetune(
        settings,
        Task(
            name=task.name,
            defaults=GLUE_DEFAULTS[task.name],
            training=training,
            tokenizer=tokenizer,
            model_class=AlbertForSequenceClassification,
            arguments={
                "num_classes": task.num_classes,
                "class_names": task.classes or None,
            },
            evaluation=make_evaluation(settings, task, tokenizer),
            card=f"{len(rows):,} rows of GLUE's {task.name}, {rows.path}.",
            report=report,
            describe_data=lambda: {
                file: describe_files(folder / file)
                for file in ("train.tsv", *task.dev_files.values())
            },
        ),
    )


def evaluate(settings, tokenizer):
    """Evaluates a fine-tuned model on the dev files; returns the metrics."""
    task = GLUE_TASKS[settings.task]
    files = task.dev_files.values()
    output_dir = claim(settings, *map(predictions_file, files))
    evaluation = make_evaluation(settings, task, tokenizer)
    model = load_classifier(settings, task)
    examples = [examples for _, examples in evaluation.dev_sets.values()]
    return evaluate_alone(evaluation, model, examples, output_dir)


def predict(settings, tokenizer):
    """Writes the submission for each existing test file; returns the paths."""
    task = GLUE_TASKS[settings.task]
    submissions = {n for t in GLUE_TASKS.values() for n in t.test_files}
    output_dir = claim(settings, *submissions)
    folder = Path(settings.data_dir) / task.name
    existing = {
        submission: file
        for submission, file in task.test_files.items()
        if (folder / file).is_file()
    }
    # If there are none, reading the first raises the error.
    tests = {
        submission: make_texts(settings, task, tokenizer, file, "test")
        for submission, file in (existing or task.test_files).items()
    }
    model = load_classifier(settings, task)
    paths = []
    for submission, (rows, examples, _) in tests.items():
        predictions = predict_alone(
            functools.partial(glue_predictions, task),
            settings,
            model,
            examples,
            submission,
        )
        paths.append(output_dir / submission)
        if distributed.rank() == 0:
            write_predictions(paths[-1], task, rows, predictions)
            print(f"{paths[-1]}: {len(rows):,} predictions for {rows.path}.")
    return paths


# === Shared by the modes ===


def make_texts(settings, task, tokenizer, file, split):
    """The rows of a file, their encoding, and what was omitted or truncated."""
    path = Path(settings.data_dir) / task.name / file
    rows = read_glue(task, path, split)
    length = settings.max_seq_length or GLUE_DEFAULTS[task.name].max_seq_length
    examples = make_examples(
        settings,
        lambda **kwargs: LabelledTexts(
            rows.texts,
            rows.labels,
            tokenizer,
            length,
            source=path if settings.cache else None,
            **kwargs,
        ),
    )
    report = {
        "lines were omitted, since they have more or fewer columns": list(
            rows.malformed
        ),
        f"rows (counted from 0) were truncated to {length} tokens": (
            examples.cut.tolist()
        ),
    }
    say_report(path, len(rows) + len(rows.malformed), report)
    return rows, examples, report


def make_evaluation(settings, task, tokenizer):
    """The evaluation on the dev files."""
    dev_sets = {
        end: make_texts(settings, task, tokenizer, file, "dev")[:2]
        for end, file in task.dev_files.items()
    }
    return GlueEvaluation(task, dev_sets, settings.eval_batch_size)


def load_classifier(settings, task):
    """Loads a model that was fine-tuned on the task."""
    model = load_fine_tuned(settings, AlbertForSequenceClassification)
    names = model.class_names
    fits = names is None or names == task.classes
    if model.num_classes != task.num_classes or not fits:
        raise ValueError(
            f"{settings.pretrained} predicts {model.num_classes} classes, "
            f"{names or 'without names'}; {task.name} has "
            f"{task.num_classes}, {task.classes or 'a score'}. Pass a model "
            "fine-tuned on this task."
        )
    return model


if __name__ == "__main__":
    main()
