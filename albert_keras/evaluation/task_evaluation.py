"""Base class for evaluations of fine-tuned models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from albert_keras.files.atomic_write import atomic_file

EVALUATION_FILE = "eval_metrics.json"


class TaskEvaluation:
    """Predicts with a model and computes metrics.

    Ranks share the work and get the same metrics. Subclasses implement
    `evaluate(model, progress)` and `write_predictions(directory)`, which
    writes the predictions of the last call.

    Attributes:
        metric: Name of the main score; higher is better.
        metrics: Names of the metrics to log during training.
        results: The metrics of the last call.
    """

    results: dict | None = None

    @property
    def metric(self) -> str:
        raise NotImplementedError

    @property
    def metrics(self) -> tuple[str, ...]:
        return ()

    def __call__(self, model, progress=None):
        """Evaluates a model and returns its metrics, by name.

        Args:
            model: The fine-tuned model.
            progress: Called with the number of rows done on this rank.
        """
        self.results = self.evaluate(model, progress)
        return self.results

    def evaluate(
        self, model: Any, progress: Callable[[int], None] | None
    ) -> dict[str, Any]:
        raise NotImplementedError

    def write_predictions(self, directory: Path) -> None:
        raise NotImplementedError

    def write(self, directory: str | Path) -> None:
        """Writes the last call's predictions and metrics to a directory."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.write_predictions(directory)
        path = directory / EVALUATION_FILE
        with atomic_file(path, encoding="utf-8") as file:
            json.dump(self.results, file, indent=2)
