"""Settings for launching a recipe on Amazon SageMaker.

A launcher inherits these and its recipe's settings, so it accepts every flag
of the recipe.
"""

import dataclasses
import os
from pathlib import Path
from typing import ClassVar

from albert_keras.launching.estimate import Workload
from albert_keras.launching.instance_types import InstanceType, instance_type
from albert_keras.launching.names import (
    MAX_JOB_NAME,
    check_name,
    registry_of,
)

ROOT = Path(__file__).parents[3]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SageMakerSettings:
    """Where and how a job runs; launchers add the settings of a recipe."""

    # === The job ===

    sm_job_name: str = "albert"
    """First part of the job's name and of the S3 prefix of its results."""

    name: str = ""
    """Custom name, for the run, its model card and the S3 prefix of its
    results."""

    instance_type: str = "ml.p3dn.24xlarge"
    """SageMaker's instance type; each GPU of a host is one rank."""

    instance_count: int = 1
    """Number of hosts."""

    processes_per_host: int | None = None
    """Ranks per host; by default one per GPU, or one without GPUs."""

    global_batch_size: int | None = None
    """Rows of an update over all ranks. Sets the number of micro-batches, so
    that training is the same on another cluster."""

    source_dir: str = str(ROOT)
    """Directory of the code to upload."""

    entry_point: str = ""
    """The recipe to run, relative to `source_dir`."""

    # === AWS resources ===

    role: str | None = None
    """ARN of the execution role (or SAGEMAKER_ROLE)."""

    image_name: str | None = None
    """Image in Amazon ECR (or SAGEMAKER_IMAGE_NAME), see docker/. An image for
    instances without GPUs has `cpu` in its name or tag."""

    region: str | None = None
    """Region, which must be the image's; by default taken from the image."""

    bucket: str | None = None
    """Bucket for code, checkpoints and the model; by default
    sagemaker-REGION-ACCOUNT."""

    subnet_ids: tuple[str, ...] = ()
    """Subnets of the volume's VPC (or SAGEMAKER_SUBNET_IDS,
    comma-separated)."""

    security_group_ids: tuple[str, ...] = ()
    """Security groups (or SAGEMAKER_SECURITY_GROUP_IDS, comma-separated)."""

    # === Data ===

    fsx_id: str | None = None
    """FSx for Lustre volume (or SAGEMAKER_FSX_ID)."""

    fsx_mount_name: str = "fsx"
    """Mount name of the volume (or SAGEMAKER_FSX_MOUNT_NAME)."""

    filesystem_prefix: str = "/fsx"
    """Mount point of the volume on this machine. Paths below it are translated
    to the job's."""

    s3_data: str | None = None
    """S3 location to copy to each host, instead of a volume."""

    volume_size_gb: int = 30
    """Size of each host's own disk."""

    # === Time and cost ===

    max_run_seconds: int = 2419200
    """Maximum run time (28 days is SageMaker's limit)."""

    spot: bool = False
    """Use spot instances, and resume after an interruption."""

    max_wait_seconds: int | None = None
    """With spot instances, maximum time to wait and run; by default
    twice `max_run_seconds`, at most 28 days."""

    keep_alive_seconds: int | None = None
    """Keep the instances this long for another job (a warm pool)."""

    tokens_per_second: float | None = None
    """Throughput of the whole job, to estimate its run time."""

    price_per_hour: float | None = None
    """Price of one instance, to estimate the cost."""

    tags: tuple[str, ...] = ()
    """Tags as KEY=VALUE."""

    # === Action ===

    wait: bool = False
    """Wait for the job to end, and print its log."""

    dry_run: bool = False
    """Print the request as JSON and exit; changes nothing."""

    ENVIRONMENT: ClassVar[dict[str, str]] = {
        "role": "SAGEMAKER_ROLE",
        "image_name": "SAGEMAKER_IMAGE_NAME",
        "fsx_id": "SAGEMAKER_FSX_ID",
        "fsx_mount_name": "SAGEMAKER_FSX_MOUNT_NAME",
        "subnet_ids": "SAGEMAKER_SUBNET_IDS",
        "security_group_ids": "SAGEMAKER_SECURITY_GROUP_IDS",
    }
    RECIPE: ClassVar[type]
    """Settings class of the recipe."""
    VOLUME_PATHS: ClassVar[tuple[str, ...]] = ()
    """Fields of the recipe that are paths on the volume."""
    METRICS: ClassVar[dict[str, str]] = {}
    """Columns of metrics.csv by the name to show in SageMaker."""

    # === Derived values ===

    def instance(self) -> InstanceType:
        """The type of the instances."""
        return instance_type(self.instance_type)

    def ranks_per_host(self) -> int:
        return self.processes_per_host or self.instance().num_gpus or 1

    def num_ranks(self) -> int:
        return self.instance_count * self.ranks_per_host()

    def base_name(self) -> str:
        """The job's name without the time, composed like the AWS sample's."""
        short = self.instance().short_name
        return f"{self.sm_job_name}-{self.instance_count}x{short}"

    def purpose(self) -> str:
        """Name that a job shares with the jobs that resume it."""
        return "-".join(filter(None, (self.sm_job_name, self.name)))

    def default_paths(self) -> dict[str, str]:
        """Paths on the volume for flags that are not given."""
        return {"output_dir": f"runs/{self.purpose()}"}

    def workload(self, num_ranks: int) -> Workload:
        """The amount of computation of the run."""
        raise NotImplementedError

    def ids(self, name: str) -> tuple[str, ...]:
        """The ids in a field, whose items may hold several, comma-separated."""
        parts = (
            part for value in getattr(self, name) for part in value.split(",")
        )
        return tuple(part.strip() for part in parts if part.strip())

    def region_of_job(self) -> str | None:
        """The region: given, the image's, or the environment's."""
        return (
            self.region
            or registry_of(self.image_name or "")[1]
            or os.environ.get("AWS_REGION")
            or os.environ.get("AWS_DEFAULT_REGION")
        )

    # === Checks ===

    def check_launch(self) -> None:
        """Raises a `ValueError` if the job could not start or would fail."""
        self._check_nothing_is_missing()
        self._check_names()
        self._check_cluster()
        self._check_times()

    def _check_nothing_is_missing(self):
        missing = [
            f"--{name} (or {self.ENVIRONMENT[name]})"
            for name in ("role", "image_name")
            if not getattr(self, name)
        ]
        if not self.fsx_id and not self.s3_data:
            missing.append(
                "--fsx_id (or SAGEMAKER_FSX_ID), or --s3_data instead"
            )
        networks = [
            f"--{name} (or {self.ENVIRONMENT[name]})"
            for name in ("subnet_ids", "security_group_ids")
            if not self.ids(name)
        ]
        # A volume needs both; with data in S3, both or neither.
        if not self.s3_data or len(networks) == 1:
            missing += networks
        if missing:
            raise ValueError(
                f"Missing: {'; '.join(missing)}. infrastructure/ creates all "
                "of them except the image, which docker/ builds."
            )
        if self.fsx_id and self.s3_data:
            raise ValueError(
                "--fsx_id and --s3_data are both given, but data is either on "
                "a volume or in S3. Pass --s3_data '' or --fsx_id ''."
            )

    def _check_names(self):
        check_name("role", "role", self.role or "")
        check_name("image", "image_name", self.image_name or "")
        self._check_region()
        for kind, flag, values in (
            ("job name", "sm_job_name", [self.sm_job_name]),
            ("run name", "name", [self.name] if self.name else []),
            ("file system", "fsx_id", [self.fsx_id] if self.fsx_id else []),
            ("mount name", "fsx_mount_name", [self.fsx_mount_name]),
            ("subnet", "subnet_ids", self.ids("subnet_ids")),
            (
                "security group",
                "security_group_ids",
                self.ids("security_group_ids"),
            ),
            ("S3 location", "s3_data", [self.s3_data] if self.s3_data else []),
            ("bucket", "bucket", [self.bucket] if self.bucket else []),
            ("tag", "tags", self.tags),
        ):
            for value in values:
                check_name(kind, flag, value)
        if len(self.base_name()) > MAX_JOB_NAME:
            raise ValueError(
                f"--sm_job_name makes the job's name {self.base_name()!r} "
                f"longer than {MAX_JOB_NAME} characters, which leaves no room "
                "for the time. Pass a shorter name."
            )

    def _check_region(self):
        region = self.region_of_job()
        if not region:
            raise ValueError(
                "--region (or AWS_REGION) is missing, and the image's name "
                "does not contain it, as names in Amazon ECR do."
            )
        check_name("region", "region", region)
        of_image = registry_of(self.image_name or "")[1]
        if of_image not in (None, region):
            raise ValueError(
                f"--region {region}: the image {self.image_name} is in "
                f"{of_image}, but SageMaker needs both in the same region. "
                "Push the image to that region, or omit the flag."
            )

    def _check_cluster(self):
        for name in ("instance_count", "volume_size_gb", "max_run_seconds"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"--{name} must be at least 1. "
                    f"Received: {getattr(self, name)}."
                )
        instance = self.instance()
        if self.processes_per_host is not None and not (
            1 <= self.processes_per_host <= (instance.num_gpus or 128)
        ):
            raise ValueError(
                f"--processes_per_host {self.processes_per_host}: "
                f"{instance.name} has {instance.num_gpus} GPUs, and each rank "
                "takes one. Omit the flag."
            )
        is_cpu_image = "cpu" in (self.image_name or "").rsplit("/", 1)[-1]
        if is_cpu_image and instance.num_gpus:
            raise ValueError(
                f"{instance.name} has {instance.num_gpus} GPUs, which the CPU "
                f"image {self.image_name} cannot use. Pass the GPU image, or "
                "an --instance_type without GPUs."
            )
        if not is_cpu_image and not instance.num_gpus:
            raise ValueError(
                f"{instance.name} has no GPUs, but {self.image_name} is an "
                "image for GPUs. Pass an --instance_type with GPUs, or an "
                "image with cpu in its name or tag (docker/cpu.Dockerfile)."
            )

    def _check_times(self):
        if self.max_run_seconds > 2419200:
            raise ValueError(
                "--max_run_seconds must be at most 2,419,200 (28 days), "
                f"SageMaker's limit. Received: {self.max_run_seconds:,}."
            )
        if self.spot and self.keep_alive_seconds:
            raise ValueError(
                "--spot and --keep_alive_seconds exclude each other: SageMaker "
                "has no warm pools of spot instances. Pass only one."
            )
        if self.max_wait_seconds is not None and (
            not self.spot or self.max_wait_seconds < self.max_run_seconds
        ):
            raise ValueError(
                "--max_wait_seconds needs --spot, and must be at least "
                f"--max_run_seconds {self.max_run_seconds}. Received: "
                f"{self.max_wait_seconds}."
            )

    def wait_seconds(self) -> int | None:
        """Maximum time to wait for spot instances and run; None without."""
        if not self.spot:
            return None
        return self.max_wait_seconds or min(2 * self.max_run_seconds, 2419200)
