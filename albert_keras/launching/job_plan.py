"""The description of a training job, made before any call to AWS."""

import dataclasses
import math

from albert_keras.launching.hyperparameters import CHANNEL


@dataclasses.dataclass(frozen=True)
class JobPlan:
    """Description of a training job on Amazon SageMaker.

    Attributes:
        base_name: The job's name, to which SageMaker's SDK adds the time.
        role, image, region, bucket: Execution role, image in Amazon ECR,
            region, and bucket for code and results.
        prefix: Prefix in the bucket, shared by jobs that resume each other's
            checkpoints.
        instance_type, instance_count: SageMaker's name of the instance type,
            and number of instances.
        processes_per_host: Ranks per instance.
        volume_id, mount_name: FSx for Lustre volume, or None.
        s3_channels: S3 locations by name of the channel they are copied to.
        source_dir, entry_point: Code to upload, and the script in it to run.
        hyperparameters: The script's flags and their values, as strings.
        environment: Environment variables in the container.
        metrics: `(name, regular expression)` of metrics in the log.
        subnets, security_group_ids: Those of the volume's VPC.
        disk_gb: Size of each host's disk in GB.
        max_run_seconds: Maximum run time.
        spot, max_wait_seconds: Whether to use spot instances, and the maximum
            time to wait for them and run.
        keep_alive_seconds: Time to keep the instances for another job.
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
        """Number of ranks of the whole job."""
        return self.instance_count * self.processes_per_host

    @property
    def mpi_options(self) -> tuple[str, ...]:
        """Options for `mpirun`, in addition to those of SageMaker's driver.

        The SDK's driver (3.27) passes the ranks per host as the total number
        of ranks; `mpirun` uses the last `-np`. Ranks are not bound to a core,
        since their threads read data.
        """
        return (
            *("-np", str(self.num_ranks)),
            *("-bind-to", "none", "-map-by", "slot"),
            *("-x", "PYTHONPATH"),
        )

    def location(self, part: str) -> str:
        """S3 location of a part of the results, such as `checkpoints`."""
        return f"s3://{self.bucket}/{self.prefix}/{part}"

    def channels(self) -> list[str]:
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
