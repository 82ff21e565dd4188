"""Keeps the model with the best score, and tells when to stop early."""

from collections.abc import Callable, Sequence


class KeepBest:
    """Called with each evaluation, see `TrainingLog`'s `on_validation`.

    Args:
        metric: Name of the score; higher is better.
        save: Called without arguments where the score is the best so far.
        patience: Evaluations without a better score after which
            `should_stop`; None never stops.
        earlier: Pairs of (step, score) of evaluations before, of a run that
            is resumed.

    Attributes:
        best_step, best: The best evaluation so far, None before the first.
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
        """Whether the patience is at its end."""
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
