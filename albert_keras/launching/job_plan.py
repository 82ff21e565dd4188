"""A training job, described before anything of Amazon's is touched."""

import dataclasses
import math

from albert_keras.launching.hyperparameters import CHANNEL


@dataclasses.dataclass(frozen=True)
class JobPlan:
    """What a training job on Amazon SageMaker is to be.

    Attributes:
        base_name: The job's name, to which SageMaker's SDK adds the time.
        role, image, region, bucket: Execution role, image in Amazon ECR,
            region, and the bucket for code and results.
        prefix: In the bucket, under which a job of the same purpose finds its
            checkpoints again.
        instance_type, instance_count: SageMaker's name of a type, and how
            many.
        processes_per_host: Ranks on each.
        volume_id, mount_name: A volume of FSx for Lustre, or None.
        s3_channels: S3 locations by name of the channel they are copied to.
        source_dir, entry_point: Code to upload, and the script in it to run.
        hyperparameters: The script's flags and their values, as strings.
        environment: Environment variables in the container.
        metrics: `(name, regular expression)` of what to read from the log.
        subnets, security_group_ids: Of the VPC that the volume is in.
        disk_gb: Size of each host's own disk.
        max_run_seconds: When to end the job.
        spot, max_wait_seconds: Whether to take spot instances, and for how
            long to wait for them, run time included.
        keep_alive_seconds: How long to keep the instances for a next job.
        keeps_checkpoints: Whether SageMaker copies `/opt/ml/checkpoints` to
            S3 and back.
        tags: `(key, value)` pairs.
    """

    base_name: str
    role: str
    image: str
    region: str
    bucket: str
    prefix: str
    instance_type: str
    instance_count: int
    processes_per_host: int
    source_dir: str
    entry_point: str
    hyperparameters: dict
    volume_id: str | None = None
    mount_name: str | None = None
    s3_channels: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    metrics: tuple = ()
    subnets: tuple = ()
    security_group_ids: tuple = ()
    disk_gb: int = 30
    max_run_seconds: int = 2419200
    spot: bool = False
    max_wait_seconds: int | None = None
    keep_alive_seconds: int | None = None
    keeps_checkpoints: bool = True
    tags: tuple = ()

    @property
    def num_ranks(self) -> int:
        """Ranks of the whole job."""
        return self.instance_count * self.processes_per_host

    @property
    def mpi_options(self):
        """What to pass to `mpirun` beside what SageMaker's driver passes.

        The driver of the SDK (3.27) starts as many ranks in all as there are
        to be on each host; `mpirun` takes the last `-np`. A rank is not bound
        to one core, since its threads read data.
        """
        return (
            *("-np", str(self.num_ranks)),
            *("-bind-to", "none", "-map-by", "slot"),
            *("-x", "PYTHONPATH"),
        )

    def location(self, part: str) -> str:
        """Where in S3 a part of the results goes, such as `checkpoints`."""
        return f"s3://{self.bucket}/{self.prefix}/{part}"

    def channels(self):
        """Names of the data channels."""
        volume = [CHANNEL] if self.volume_id else []
        return [*volume, *self.s3_channels]


def accumulation_for(
    global_batch_size: int, micro_batch_size: int, num_ranks: int
) -> int:
    """Micro-batches per update, for a global batch size on so many ranks.

    Raises:
        ValueError: If the batch cannot be divided evenly; the message names
            the nearest sizes that can.
    """
    rows = micro_batch_size * num_ranks
    if global_batch_size % rows or global_batch_size < 1:
        below = max(1, math.floor(global_batch_size / rows)) * rows
        raise ValueError(
            f"`global_batch_size={global_batch_size}` must be a multiple of "
            f"{num_ranks} ranks x `micro_batch_size={micro_batch_size}` = "
            f"{rows:,}. Pass {below:,} or {below + rows:,}, or another "
            "`micro_batch_size` or `instance_count`."
        )
    return global_batch_size // rows
