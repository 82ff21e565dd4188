"""How long a job will run, and what it will cost, before it is started."""

import dataclasses

# Tokens a second and GPU, by model size, length, instance type and count, as
# the AWS sample measured them with a batch of 4,096, 32 rows a GPU, in float16
# with XLA (its README, 2020).
MEASURED = {
    ("base", 512, "ml.p3dn.24xlarge", 1): 62_900,
    ("base", 512, "ml.p3dn.24xlarge", 2): 60_300,
    ("base", 512, "ml.p3dn.24xlarge", 4): 59_000,
    ("base", 512, "ml.p3dn.24xlarge", 8): 56_700,
}
MEASURED_BY = "measured by the AWS sample in float16, 2020"


@dataclasses.dataclass(frozen=True)
class Workload:
    """How much a run computes.

    Attributes:
        updates: Updates in all.
        global_batch_size: Rows of an update over all ranks.
        sequence_length: Tokens of a row, padding included.
        model_size: Such as `base`, where it is known.
    """

    updates: int
    global_batch_size: int
    sequence_length: int
    model_size: str | None = None

    @property
    def tokens(self) -> int:
        """Tokens of all updates, padding included."""
        return self.updates * self.global_batch_size * self.sequence_length


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Length and cost of a run.

    Attributes:
        tokens_per_second: Of all ranks; None where nobody knows.
        source: Where that comes from.
        hours: Length without start-up and validation, or None.
        cost: Of the instances, in the currency of the price, or None.
    """

    tokens_per_second: float | None = None
    source: str = ""
    hours: float | None = None
    cost: float | None = None

    def __str__(self):
        if self.hours is None:
            return (
                "Length unknown: pass --tokens_per_second, which metrics.csv "
                "of a short run has."
            )
        text = (
            f"{self.hours:,.1f} hours at {self.tokens_per_second:,.0f} tokens "
            f"a second ({self.source}), beside start-up and validation"
        )
        if self.cost is None:
            return f"{text}. Cost: pass --price_per_hour of one instance."
        return (
            f"{text}; {self.cost:,.2f} for the instances, without storage and "
            "tax."
        )


def estimate(
    workload,
    num_instances,
    instance,
    tokens_per_second=None,
    price_per_hour=None,
):
    """Estimates a run.

    Args:
        workload: A `Workload`.
        num_instances: Instances of the job.
        instance: Their `InstanceType`.
        tokens_per_second: Throughput of the whole job; by default one that
            was measured, where there is one for such a job.
        price_per_hour: Price of one instance.

    Returns:
        An `Estimate`.
    """
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
    hours = workload.tokens / tokens_per_second / 3600
    cost = None
    if price_per_hour is not None:
        cost = hours * num_instances * price_per_hour
    return Estimate(tokens_per_second, source, hours, cost)
