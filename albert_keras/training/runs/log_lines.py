"""Metrics as lines of a log, and patterns that find them there."""

_NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"


def metric_line(step: int, metrics: dict[str, float]) -> str:
    """Formats metrics as `step=10 loss=9.13 ...`, for SageMaker's patterns.

    Args:
        step: Updates done.
        metrics: Numbers by name.
    """
    values = (f"{name}={value:.6g}" for name, value in metrics.items())
    return " ".join([f"step={step}", *values])


def metric_pattern(name: str) -> str:
    """Returns a regular expression whose one group is the metric's number.

    It does not find `loss` in `mlm_loss` or in `val_loss`, and skips NaN and
    infinity, which SageMaker would reject.
    """
    return rf"\bstep=[0-9]+ (?:.* )?{name}={_NUMBER}(?: |$)"
