"""What a run measures now and then beside its training metrics."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass
class Validation:
    """A measurement that `TrainingLog` takes and logs.

    Attributes:
        measure: `() -> metrics`, the same on all ranks; None where it was
            interrupted.
        frequency: Updates between two; there is one at the end, too.
        prefix: Put before the names of the metrics in the log.
        metrics: Names of those to log; None means what `evaluate` returns.
        first: Whether there is one before the first update.
        report: Called with the step and the metrics, if given.
    """

    measure: Callable
    frequency: int
    prefix: str = "val_"
    metrics: tuple[str, ...] | None = None
    first: bool = True
    report: Callable | None = None
    _done_at: int | None = None

    def is_due(self, step: int, at_end: bool = False) -> bool:
        """Whether it is time for it."""
        return self._done_at != step and (at_end or step % self.frequency == 0)

    def run(self, step: int) -> dict[str, float]:
        """Measures, and returns what is to be logged, by column."""
        metrics = self.measure()
        if metrics is None:
            return {}
        metrics = {name: float(value) for name, value in metrics.items()}
        self._done_at = step
        if self.report is not None:
            self.report(step, metrics)
        names = metrics if self.metrics is None else self.metrics
        return {f"{self.prefix}{name}": metrics[name] for name in names}
