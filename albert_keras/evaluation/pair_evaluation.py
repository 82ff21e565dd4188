"""Evaluates how well embeddings find the second text of each pair."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.tables.table_writer import write_table
from albert_keras.data.tasks.text_pairs import TextPairs
from albert_keras.evaluation.prediction import predict_rows
from albert_keras.evaluation.task_evaluation import TaskEvaluation
from albert_keras.text_tasks.embeddings import to_length_one

PREDICTIONS_FILE = "dev_ranks.csv"
_ROWS = 1024  # of similarities at a time


class PairEvaluation(TaskEvaluation):
    """Ranks all second texts by their similarity to each first text.

    `accuracy` is the share of first texts whose own second text is the most
    similar of all, `mrr` the mean of 1 / rank of the own one (mean reciprocal
    rank), `similarity` the mean cosine similarity of pairs.

    Args:
        texts: `(first_texts, second_texts)`.
        pairs: The same as `TextPairs`.
        batch_size: Pairs per batch on each device.

    Attributes:
        ranks: Rank of each own second text, from 1, from the last call.
    """

    metric = "mrr"
    metrics = ("accuracy", "mrr", "similarity")

    def __init__(
        self,
        texts: tuple[list[str], list[str]],
        pairs: TextPairs,
        batch_size: int = 32,
    ) -> None:
        self.texts = texts
        self.pairs = pairs
        self.batch_size = batch_size
        self.ranks = np.zeros(0, int)

    def evaluate(
        self, model: Any, progress: Callable[[int], None] | None
    ) -> dict[str, float]:
        rows = predict_rows(
            model, self.pairs, self.batch_size, progress, output="embeddings"
        )
        embeddings = to_length_one(np.stack(rows))  # (N, 2, H)
        first, second = embeddings[:, 0], embeddings[:, 1]
        self.ranks, own = rank_pairs(first, second)
        return {
            "accuracy": float((self.ranks == 1).mean()),
            "mrr": float((1 / self.ranks).mean()),
            "similarity": float(own.mean()),
        }

    def write_predictions(self, directory: Path) -> None:
        """Writes the texts of each pair and the rank of the second."""
        path = Path(directory) / PREDICTIONS_FILE
        with write_table(path, ("first", "second", "rank")) as write:
            columns = (*self.texts, self.ranks.tolist())
            write([*map(list, zip(*columns, strict=True))])


def rank_pairs(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks each row's partner among all rows by the product.

    Args:
        first, second: `(N, H)`, of length 1.

    Returns:
        (ranks from 1, similarities), both `(N,)`. Equal similarities, to
        1e-6, count as the better rank, as those of the same text do.
    """
    ranks, own = [], (first * second).sum(axis=1)
    for start in range(0, len(first), _ROWS):
        part = slice(start, start + _ROWS)
        similarities = first[part] @ second.T
        mine = own[part]
        ranks.append((similarities > mine[:, None] + 1e-6).sum(axis=1) + 1)
    return np.concatenate(ranks), own
