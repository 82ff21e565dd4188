"""Metrics as lines of a log, and how to find them there again."""

_NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"


def metric_line(step: int, metrics: dict[str, float]) -> str:
    """`step=10 loss=9.13 mlm_loss=8.44 ...`, as SageMaker's logs are read.

    Args:
        step: Updates done.
        metrics: Names and numbers.
    """
    values = (f"{name}={value:.6g}" for name, value in metrics.items())
    return " ".join([f"step={step}", *values])


def metric_pattern(name: str) -> str:
    """A regular expression whose one group is the metric's number.

    It does not find `loss` in `mlm_loss` or in `val_loss`, and leaves out
    values that are no numbers, which SageMaker would refuse.
    """
    return rf"\bstep=[0-9]+ (?:.* )?{name}={_NUMBER}(?: |$)"
