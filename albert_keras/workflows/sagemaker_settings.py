"""What launching on Amazon SageMaker needs beside a recipe's own settings.

A launcher's settings are those of its recipe and these, so that each flag of
the recipe is one of the launcher, and no flag exists on one side only.
"""

import dataclasses
import os
from pathlib import Path
from typing import ClassVar

from albert_keras.launching.instance_types import instance_type
from albert_keras.launching.names import (
    MAX_JOB_NAME,
    check_name,
    registry_of,
)

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SageMakerSettings:
    """Where and how a job runs. The launchers add a recipe's settings."""

    # === The job ===

    sm_job_name: str = "albert"
    """First part of the job's name, and where its checkpoints are kept."""

    name: str = ""
    """Custom name, for the run, its model card and where its checkpoints are
    kept."""

    instance_type: str = "ml.p3dn.24xlarge"
    """SageMaker's instance type; its GPUs are the ranks of a host."""

    instance_count: int = 1
    """Hosts."""

    processes_per_host: int | None = None
    """Ranks of a host; by default one for each GPU, or one."""

    global_batch_size: int | None = None
    """Rows of an update on all ranks, from which the number of
    micro-batches follows: the same training on another cluster."""

    source_dir: str = str(ROOT)
    """Directory of the code to run."""

    entry_point: str = ""
    """The recipe to run, relative to `source_dir`."""

    # === Where in Amazon ===

    role: str | None = None
    """ARN of the execution role (or SAGEMAKER_ROLE)."""

    image_name: str | None = None
    """Image in Amazon ECR (or SAGEMAKER_IMAGE_NAME), see docker/. One with
    `cpu` in its name or tag is for instances without GPUs."""

    region: str | None = None
    """Region; by default the image's, which must be in the same."""

    bucket: str | None = None
    """Bucket for code, checkpoints and the model; by default
    sagemaker-REGION-ACCOUNT."""

    subnet_ids: tuple[str, ...] = ()
    """Subnets of the volume's VPC (or SAGEMAKER_SUBNET_IDS, with commas)."""

    security_group_ids: tuple[str, ...] = ()
    """Security groups (or SAGEMAKER_SECURITY_GROUP_IDS, with commas)."""

    # === Data ===

    fsx_id: str | None = None
    """A volume of FSx for Lustre (or SAGEMAKER_FSX_ID)."""

    fsx_mount_name: str = "fsx"
    """Its mount name (or SAGEMAKER_FSX_MOUNT_NAME)."""

    filesystem_prefix: str = "/fsx"
    """Where the volume is mounted on your machine: paths below it are found
    in the job, too."""

    s3_data: str | None = None
    """A location in S3 to copy to each host, in place of a volume."""

    volume_size_gb: int = 30
    """Size of each host's own disk."""

    # === How long, and what it costs ===

    max_run_seconds: int = 2419200
    """When to end the job (28 days, SageMaker's limit)."""

    spot: bool = False
    """Take spot instances, and go on when one was taken away."""

    max_wait_seconds: int | None = None
    """With spot instances, time to wait and run; by default twice the time
    to run, at most 28 days."""

    keep_alive_seconds: int | None = None
    """Keep the instances so long for a next job (a warm pool)."""

    tokens_per_second: float | None = None
    """Throughput of the whole job, for the estimate."""

    price_per_hour: float | None = None
    """Price of one instance, for the estimate."""

    tags: tuple[str, ...] = ()
    """Tags as KEY=VALUE."""

    # === What to do ===

    wait: bool = False
    """Stay, and print the job's log until it ends."""

    dry_run: bool = False
    """Print the request as JSON, and touch nothing."""

    ENVIRONMENT: ClassVar[dict[str, str]] = {
        "role": "SAGEMAKER_ROLE",
        "image_name": "SAGEMAKER_IMAGE_NAME",
        "fsx_id": "SAGEMAKER_FSX_ID",
        "fsx_mount_name": "SAGEMAKER_FSX_MOUNT_NAME",
        "subnet_ids": "SAGEMAKER_SUBNET_IDS",
        "security_group_ids": "SAGEMAKER_SECURITY_GROUP_IDS",
    }
    RECIPE: ClassVar[type]
    """The dataclass that the recipe parses its flags with."""
    VOLUME_PATHS: ClassVar[tuple[str, ...]] = ()
    """Fields of the recipe that are paths on the volume."""
    METRICS: ClassVar[dict[str, str]] = {}
    """Metrics by the name that SageMaker shows, and that of metrics.csv."""

    # === What follows from them ===

    def instance(self):
        """The `InstanceType`."""
        return instance_type(self.instance_type)

    def ranks_per_host(self):
        return self.processes_per_host or self.instance().num_gpus or 1

    def num_ranks(self):
        return self.instance_count * self.ranks_per_host()

    def base_name(self):
        """The job's name, as the AWS sample composed it."""
        short = self.instance().short_name
        return f"{self.sm_job_name}-{self.instance_count}x{short}"

    def purpose(self):
        """What a job has in common with the one that goes on with it."""
        return "-".join(filter(None, (self.sm_job_name, self.name)))

    def default_paths(self):
        """Where on the volume things are that the flags do not say."""
        return {"output_dir": f"runs/{self.purpose()}"}

    def workload(self, num_ranks):
        """The `Workload` of the run."""
        raise NotImplementedError

    def split(self, name):
        """Ids of a field, each of which may be several with commas."""
        parts = (
            part for value in getattr(self, name) for part in value.split(",")
        )
        return tuple(part.strip() for part in parts if part.strip())

    def region_of_job(self):
        return (
            self.region
            or registry_of(self.image_name)[1]
            or os.environ.get("AWS_REGION")
            or os.environ.get("AWS_DEFAULT_REGION")
        )

    # === What is wrong with them ===

    def check_launch(self):
        """Raises where a job could not be started, or would be a mistake."""
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
                "--fsx_id (or SAGEMAKER_FSX_ID), or --s3_data in its place"
            )
        networks = [
            f"--{name} (or {self.ENVIRONMENT[name]})"
            for name in ("subnet_ids", "security_group_ids")
            if not self.split(name)
        ]
        if not self.s3_data or len(networks) == 1:  # both, or with S3 none
            missing += networks
        if missing:
            raise ValueError(
                f"Missing: {'; '.join(missing)}. infrastructure/ makes all of "
                "them but the image, which docker/ makes."
            )
        if self.fsx_id and self.s3_data:
            raise ValueError(
                "--fsx_id and --s3_data are both given. Data is on a volume "
                "or in S3: pass --s3_data '' or --fsx_id ''."
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
            ("subnet", "subnet_ids", self.split("subnet_ids")),
            (
                "security group",
                "security_group_ids",
                self.split("security_group_ids"),
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
                "for the time. Pass a shorter one."
            )

    def _check_region(self):
        region = self.region_of_job()
        if not region:
            raise ValueError(
                "--region is missing (or AWS_REGION), and the image is not in "
                "Amazon ECR, where its name would tell."
            )
        check_name("region", "region", region)
        of_image = registry_of(self.image_name)[1]
        if of_image not in (None, region):
            raise ValueError(
                f"--region {region}: the image {self.image_name} is in "
                f"{of_image}, and SageMaker wants both in one. Push the image "
                "to that region, or leave the flag out."
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
                "takes one. Leave the flag out."
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
                f"{instance.name} has no GPUs, and {self.image_name} is an "
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
                "has no warm pools of spot instances. Pass one."
            )
        if self.max_wait_seconds is not None and (
            not self.spot or self.max_wait_seconds < self.max_run_seconds
        ):
            raise ValueError(
                "--max_wait_seconds goes with --spot, and is at least "
                f"--max_run_seconds {self.max_run_seconds}. Received: "
                f"{self.max_wait_seconds}."
            )

    def wait_seconds(self):
        """Time to wait for spot instances, run time included, or None."""
        if not self.spot:
            return None
        return self.max_wait_seconds or min(2 * self.max_run_seconds, 2419200)
