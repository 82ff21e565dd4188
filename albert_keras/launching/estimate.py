"""Estimates the run time and cost of a job before it starts."""

import dataclasses

from albert_keras.launching.instance_types import InstanceType

# Tokens per second and GPU, by model size, sequence length, instance type and
# count, measured by the AWS sample with a global batch size of 4,096, 32 rows
# per GPU, in float16 with XLA (its README, 2020).
MEASURED: dict[tuple[str | None, int, str, int], int] = {
    ("base", 512, "ml.p3dn.24xlarge", 1): 62_900,
    ("base", 512, "ml.p3dn.24xlarge", 2): 60_300,
    ("base", 512, "ml.p3dn.24xlarge", 4): 59_000,
    ("base", 512, "ml.p3dn.24xlarge", 8): 56_700,
}
MEASURED_BY = "measured by the AWS sample in float16, 2020"


@dataclasses.dataclass(frozen=True)
class Workload:
    """Amount of computation of a run.

    Attributes:
        updates: Total number of updates; None if it is not known.
        global_batch_size: Rows of an update over all ranks.
        sequence_length: Tokens of a row, padding included.
        model_size: Size such as `base`, if known.
    """

    updates: int | None
    global_batch_size: int
    sequence_length: int
    model_size: str | None = None

    @property
    def tokens(self) -> int | None:
        """Tokens of all updates, padding included; None if not known."""
        if self.updates is None:
            return None
        return self.updates * self.global_batch_size * self.sequence_length


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Estimated run time and cost.

    Attributes:
        tokens_per_second: Throughput of all ranks; None if unknown.
        source: Source of the throughput.
        hours: Run time without start-up and validation, or None.
        cost: Cost of the instances in the currency of the price, or None.
    """

    tokens_per_second: float | None = None
    source: str = ""
    hours: float | None = None
    cost: float | None = None

    def __str__(self):
        if self.hours is None:
            return (
                "Run time unknown: pass `tokens_per_second` from metrics.csv "
                "of a short run."
            )
        text = (
            f"{self.hours:,.1f} hours at {self.tokens_per_second:,.0f} tokens "
            f"a second ({self.source}), plus start-up and validation"
        )
        if self.cost is None:
            return f"{text}. Cost: pass `price_per_hour` of one instance."
        return (
            f"{text}; {self.cost:,.2f} for the instances, without storage and "
            "taxes."
        )


def estimate(
    workload: Workload,
    num_instances: int,
    instance: InstanceType,
    tokens_per_second: float | None = None,
    price_per_hour: float | None = None,
) -> Estimate:
    """Estimates the run time and cost of a run.

    Args:
        workload: Amount of computation.
        num_instances: Number of instances.
        instance: Type of the instances.
        tokens_per_second: Throughput of the whole job; by default the
            measured one of such a job, if any.
        price_per_hour: Price of one instance.
    """
    tokens = workload.tokens
    if tokens is None:
        return Estimate()
    source = "given"
    if tokens_per_second is None:
        measured = MEASURED.get(
            (
                workload.model_size,
                workload.sequence_length,
                instance.name,
                num_instances,
            )
        )
        if measured is None:
            return Estimate()
        source = MEASURED_BY
        tokens_per_second = measured * num_instances * instance.num_gpus
    hours = tokens / tokens_per_second / 3600
    cost = None
    if price_per_hour is not None:
        cost = hours * num_instances * price_per_hour
    return Estimate(tokens_per_second, source, hours, cost)
