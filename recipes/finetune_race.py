"""Fine-tunes ALBERT on RACE, evaluates it, or answers its questions.

    python recipes/finetune_race.py --data_dir RACE \
        --pretrained albert_xxlarge --output_dir runs/race

Reads the release (one file per passage) or Google's form of it (`all.txt`).
The hyperparameters default to the paper's for version 1 (table 14); for
version 2 Google uses `--learning_rate 1e-5 --hidden_dropout_prob 0`. The run
directory contains settings, metrics (CSV, TensorBoard, curves.png),
checkpoints, predictions, and in `best/` the model with the best accuracy. The
same command with `--resume` continues an interrupted run.

    python recipes/finetune_race.py --mode evaluate --split test \
        --data_dir RACE --pretrained runs/race/best --output_dir runs/race-test
    python recipes/finetune_race.py --mode predict --split test \
        --data_dir RACE --pretrained runs/race/best --output_dir runs/answers

The last command needs no answers in the files.
"""

from pathlib import Path

from albert_keras import AlbertForMultipleChoice
from albert_keras.data.tasks.race import read_race
from albert_keras.data.tasks.race_choices import RaceChoices
from albert_keras.evaluation.race_evaluation import (
    PREDICTIONS_FILE,
    RaceEvaluation,
    race_predictions,
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
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.task_settings import (
    RACE_DEFAULTS,
    RaceSettings,
)


def main(argv=None):
    run = by_mode(train=train, evaluate=evaluate, predict=predict)
    return run_recipe("finetune_race", run, RaceSettings, argv)


def train(settings, tokenizer):
    """Fine-tunes and evaluates a model, and returns the run directory."""
    training, report = make_choices(settings, tokenizer, "train")
    dev, _ = make_choices(settings, tokenizer, "dev")

    return finetune(
        settings,
        Task(
            name="RACE",
            defaults=RACE_DEFAULTS,
            training=training,
            tokenizer=tokenizer,
            model_class=AlbertForMultipleChoice,
            evaluation=RaceEvaluation(dev, settings.eval_batch_size),
            card=f"{len(training):,} questions of {training.race.path}.",
            report=report,
            describe_data=lambda: {
                split: describe_files(folder, folder.glob("*/*.txt"))
                for split in ("train", "dev")
                for folder in [Path(settings.data_dir) / split]
            },
        ),
    )


def evaluate(settings, tokenizer):
    """Evaluates a fine-tuned model on a split, and returns the metrics."""
    output_dir = claim(settings, PREDICTIONS_FILE)
    choices, _ = make_choices(settings, tokenizer, settings.split)
    model = load_fine_tuned(settings, AlbertForMultipleChoice)
    evaluation = RaceEvaluation(choices, settings.eval_batch_size)
    return evaluate_alone(evaluation, model, [choices], output_dir)


def predict(settings, tokenizer):
    """Answers the questions of a split, and returns the path of the file."""
    output_dir = claim(settings, PREDICTIONS_FILE)
    choices, _ = make_choices(
        settings, tokenizer, settings.split, labelled=False
    )
    model = load_fine_tuned(settings, AlbertForMultipleChoice)
    predictions = predict_alone(race_predictions, settings, model, choices)
    path = output_dir / PREDICTIONS_FILE
    if distributed.rank() == 0:
        write_predictions(output_dir, choices.race, predictions)
        print(f"{path}: {len(choices):,} answers.")
    return path


def make_choices(settings, tokenizer, split, labelled=True):
    """The encoded questions of a split, and which were truncated."""
    race = read_race(settings.data_dir, split, settings.levels, labelled)
    length = settings.max_seq_length or RACE_DEFAULTS.max_seq_length
    choices = make_examples(
        settings,
        lambda **kwargs: RaceChoices(
            race,
            tokenizer,
            length,
            settings.max_choice_length,
            source=race.path if settings.cache else None,
            **kwargs,
        ),
    )
    report = {
        f"questions (counted from 0) were truncated to {length} tokens with "
        "their passage": choices.cut.tolist()
    }
    say_report(race.path, len(choices), report)
    return choices, report


if __name__ == "__main__":
    main()
