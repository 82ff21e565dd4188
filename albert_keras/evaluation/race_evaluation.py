"""Evaluates models on RACE and writes their answers."""

import json
from pathlib import Path

import numpy as np

from albert_keras.data.tasks.race import LETTERS, LEVELS
from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_file

PREDICTIONS_FILE = "predictions.json"


class RaceEvaluation(TaskEvaluation):
    """Answers all questions; accuracy over all, and per school level.

    Args:
        choices: `RaceChoices` with answers.
        batch_size: Questions per batch on each device.

    Attributes:
        predictions: Index of each question's chosen option, from the last
            call.
    """

    metric = "accuracy"

    def __init__(self, choices, batch_size=32):
        self.choices = choices
        self.batch_size = batch_size
        self.predictions = None

    @property
    def metrics(self) -> tuple[str, ...]:
        found = [name for name in LEVELS if name in self.choices.race.levels]
        return ("accuracy", *(f"accuracy_{level}" for level in found))

    def evaluate(self, model, progress):
        self.predictions = race_predictions(
            model, self.choices, self.batch_size, progress
        )
        race = self.choices.race
        levels = np.array([race.levels[q.passage] for q in race.questions])
        is_correct = self.predictions == self.choices.labels
        results = {"accuracy": float(is_correct.mean())}
        for level in LEVELS:
            if (levels == level).any():
                accuracy = is_correct[levels == level].mean()
                results[f"accuracy_{level}"] = float(accuracy)
        return results

    def write_predictions(self, directory: Path) -> None:
        write_predictions(directory, self.choices.race, self.predictions)


def race_predictions(model, choices, batch_size=32, progress=None):
    """Chooses an option for each question: ints `(N,)` on every rank."""
    rows = predict_rows(model, choices, batch_size, progress)
    return np.stack(rows).argmax(axis=-1)


def write_predictions(directory, race, predictions):
    """Writes the letters of the chosen options by passage, as RACE does."""
    answers = {}
    for question, option in zip(race.questions, predictions, strict=True):
        passage = race.passage_ids[question.passage]
        answers.setdefault(passage, []).append(LETTERS[option])
    path = Path(directory) / PREDICTIONS_FILE
    with atomic_file(path, encoding="utf-8") as file:
        json.dump(answers, file, indent=2, ensure_ascii=False)
