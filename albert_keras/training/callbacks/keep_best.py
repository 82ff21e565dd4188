"""Saves the model with the best score and decides when to stop early."""

from collections.abc import Callable, Sequence


class KeepBest:
    """Saves the model whenever an evaluation reaches a new best score.

    Call it with the step and the metrics of each evaluation, for example in
    the `report` of a `Validation`.

    Args:
        metric: Name of the score; higher is better.
        save: Called without arguments at each new best score.
        patience: Evaluations in a row without a better score after which
            `should_stop` is true; None never stops.
        earlier: Pairs (step, score) of evaluations before this `fit`, if the
            run is resumed.

    Attributes:
        best_step, best: Step and score of the best evaluation so far; None
            before the first.
    """

    def __init__(
        self,
        metric: str,
        save: Callable[[], None],
        patience: int | None = None,
        earlier: Sequence[tuple[int, float]] = (),
    ) -> None:
        self.metric = metric
        self.save = save
        self.patience = patience
        self.best_step = self.best = None
        self.without_better = 0
        for step, score in earlier:
            self._count(step, score)

    @property
    def should_stop(self) -> bool:
        """Whether the last `patience` evaluations brought no better score."""
        return (
            self.patience is not None and self.without_better >= self.patience
        )

    def __call__(self, step, metrics):
        if self._count(step, metrics[self.metric]):
            self.save()

    def _count(self, step, score):
        if self.best is not None and not score > self.best:
            self.without_better += 1
            return False
        self.best_step, self.best, self.without_better = step, score, 0
        return True
