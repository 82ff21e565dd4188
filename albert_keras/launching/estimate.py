"""How long a job will run, and what it will cost, before it is started."""

import dataclasses

# Tokens a second and GPU, by (model size, GPU, number of nodes of eight), as
# the AWS sample measured them: base with 32 x 512 tokens a GPU and a batch of
# 4,096, float16 with XLA, on ml.p3dn.24xlarge (its README, 2020).
MEASURED = {
    ("base", "V100", 1): 62_900,
    ("base", "V100", 2): 60_300,
    ("base", "V100", 4): 59_000,
    ("base", "V100", 8): 56_700,
}
MEASURED_LENGTH = 512
MEASURED_BY = "measured by the AWS sample on ml.p3dn.24xlarge in float16"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Length and cost of a run.

    Attributes:
        tokens: Tokens of all updates, padding included.
        tokens_per_second: Of all ranks; None where nobody knows.
        source: Where that comes from.
        hours: Length without start-up and validation, or None.
        cost: Of the instances, in the currency of the price, or None.
    """

    tokens: int
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
    tokens,
    num_instances,
    instance,
    model_size=None,
    sequence_length=None,
    tokens_per_second=None,
    price_per_hour=None,
):
    """Estimates a run.

    Args:
        tokens: Tokens of all updates.
        num_instances: Instances of the job.
        instance: Their `InstanceType`.
        model_size, sequence_length: What is trained, to look up a measured
            throughput where none is given.
        tokens_per_second: Throughput of the whole job.
        price_per_hour: Price of one instance.

    Returns:
        An `Estimate`.
    """
    source = "given"
    if tokens_per_second is None and sequence_length == MEASURED_LENGTH:
        measured = MEASURED.get((model_size, instance.gpu, num_instances))
        if measured and instance.name == "ml.p3dn.24xlarge":
            source = MEASURED_BY
            tokens_per_second = measured * num_instances * instance.num_gpus
    if tokens_per_second is None:
        return Estimate(tokens)
    hours = tokens / tokens_per_second / 3600
    cost = None
    if price_per_hour is not None:
        cost = hours * num_instances * price_per_hour
    return Estimate(tokens, tokens_per_second, source, hours, cost)
