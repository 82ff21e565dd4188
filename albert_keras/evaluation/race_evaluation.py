"""A model's answers to RACE's questions, and its accuracy."""

import json
from pathlib import Path

import numpy as np

from albert_keras.data.tasks.race import LETTERS, LEVELS
from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.files.atomic_write import atomic_file

PREDICTIONS_FILE = "predictions.json"


class RaceEvaluation(TaskEvaluation):
    """Answers all questions; accuracy over all, and by school.

    Args:
        choices: `RaceChoices` with answers.
        batch_size: Questions at a time on each rank.

    Attributes:
        predictions: Option picked for each question, of the last call.
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
        right = self.predictions == self.choices.labels
        results = {"accuracy": float(right.mean())}
        for level in LEVELS:
            if (levels == level).any():
                share = right[levels == level].mean()
                results[f"accuracy_{level}"] = float(share)
        return results

    def write_predictions(self, directory: Path) -> None:
        write_predictions(directory, self.choices.race, self.predictions)


def race_predictions(model, choices, batch_size=32, progress=None):
    """Option picked for each question, int `(N,)` on every rank."""
    rows = predict_rows(model, choices, batch_size, progress)
    return np.stack(rows).argmax(axis=-1)


def write_predictions(directory, race, predictions):
    """Writes the letters of each passage, as the files have them."""
    answers = {}
    for question, picked in zip(race.questions, predictions, strict=True):
        passage = race.passage_ids[question.passage]
        answers.setdefault(passage, []).append(LETTERS[picked])
    path = Path(directory) / PREDICTIONS_FILE
    with atomic_file(path, encoding="utf-8") as file:
        json.dump(answers, file, indent=2, ensure_ascii=False)
