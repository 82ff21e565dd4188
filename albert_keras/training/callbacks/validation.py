"""Measurements taken at intervals during a run, such as validation."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass
class Validation:
    """A measurement that `TrainingLog` takes at intervals and logs.

    Attributes:
        measure: `() -> metrics`, by name and the same on all ranks, or None
            if it was interrupted.
        frequency: Updates between two measurements; there is also one at the
            end.
        prefix: Prefix of the metrics' names in the log.
        metrics: Names of the metrics to log; None logs all, which must be
            those of the model's `evaluate`.
        first: Whether to measure before the first update.
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
        """Whether a measurement is due at `step`."""
        return self._done_at != step and (at_end or step % self.frequency == 0)

    def run(self, step: int) -> dict[str, float]:
        """Measures and returns the values to log, by column name."""
        metrics = self.measure()
        if metrics is None:
            return {}
        metrics = {name: float(value) for name, value in metrics.items()}
        self._done_at = step
        if self.report is not None:
            self.report(step, metrics)
        names = metrics if self.metrics is None else self.metrics
        return {f"{self.prefix}{name}": metrics[name] for name in names}
