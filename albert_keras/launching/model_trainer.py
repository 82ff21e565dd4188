"""Starts a planned job with SageMaker's Python SDK 3."""

import secrets
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from sagemaker.core.helper.iam_role_resolver import RoleValidationError
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import (
    CheckpointConfig,
    Compute,
    FileSystemDataSource,
    InputData,
    MetricDefinition,
    Networking,
    OutputDataConfig,
    S3DataSource,
    SourceCode,
    StoppingCondition,
    Tag,
    TensorBoardOutputConfig,
)
from sagemaker.core.utils.exceptions import SageMakerCoreError
from sagemaker.train import ModelTrainer
from sagemaker.train.distributed import MPI

from albert_keras.launching.hyperparameters import CHANNEL
from albert_keras.launching.job_plan import JobPlan
from albert_keras.launching.offline_session import OfflineSession
from albert_keras.launching.source_code import staged_source


def training_request(plan: JobPlan) -> dict[str, Any]:
    """The CreateTrainingJob request of a plan, without any call to AWS."""
    session = OfflineSession(plan.region, plan.bucket)
    with staged_source(plan.source_dir, plan.entry_point, "") as source:
        trainer = make_trainer(plan, session, source)
        # The SDK has no public method for a request without uploads.
        return trainer._create_training_job_args(boto3=True)


def launch(plan: JobPlan, wait: bool = False) -> str:
    """Uploads the code and starts the job.

    Args:
        plan: Description of the job.
        wait: Whether to wait for the job to end, and print its log.

    Returns:
        Name of the job.

    Raises:
        ValueError: If AWS refuses the request, the role lacks permissions, or
            credentials are missing.
    """
    secret = secrets.token_hex(32)
    try:
        session = Session(
            boto_session=boto3.Session(region_name=plan.region),
            default_bucket=plan.bucket,
        )
        with staged_source(plan.source_dir, plan.entry_point, secret) as source:
            trainer = make_trainer(plan, session, source)
            trainer.train(wait=wait, logs=wait)
    except (
        BotoCoreError,
        ClientError,
        RoleValidationError,
        SageMakerCoreError,  # the awaited job failed
    ) as error:
        raise ValueError(
            f"{error} See 'What goes wrong' in docs/sagemaker.md."
        ) from error
    return trainer._latest_training_job.training_job_name


def make_trainer(plan, session, source_dir):
    """The SDK's `ModelTrainer` for a plan."""
    trainer = ModelTrainer(
        sagemaker_session=session,
        role=plan.role,
        base_job_name=plan.base_name,
        training_image=plan.image,
        source_code=SourceCode(
            source_dir=str(source_dir),
            entry_script=plan.entry_point,
            ignore_patterns=[],
        ),
        distributed=MPI(
            process_count_per_node=plan.processes_per_host,
            mpi_additional_options=list(plan.mpi_options),
        ),
        compute=_compute(plan),
        networking=_networking(plan),
        stopping_condition=_stopping_condition(plan),
        input_data_config=_input_data(plan),
        output_data_config=OutputDataConfig(
            s3_output_path=plan.location("output"), compression_type="GZIP"
        ),
        checkpoint_config=_checkpoints(plan),
        hyperparameters=dict(plan.hyperparameters),
        environment=dict(plan.environment),
        tags=[Tag(key=key, value=value) for key, value in plan.tags] or None,
    )
    return trainer.with_metric_definitions(
        [
            MetricDefinition(name=name, regex=pattern)
            for name, pattern in plan.metrics
        ]
    ).with_tensorboard_output_config(
        TensorBoardOutputConfig(s3_output_path=plan.location("tensorboard"))
    )


# === Parts of the trainer ===


def _compute(plan):
    return Compute(
        instance_type=plan.instance_type,
        instance_count=plan.instance_count,
        volume_size_in_gb=plan.disk_gb,
        keep_alive_period_in_seconds=plan.keep_alive_seconds,
        enable_managed_spot_training=plan.spot,
    )


def _networking(plan):
    if not plan.subnets:
        return None
    return Networking(
        subnets=list(plan.subnets),
        security_group_ids=list(plan.security_group_ids),
    )


def _stopping_condition(plan):
    wait = {}
    if plan.max_wait_seconds is not None:
        wait = {"max_wait_time_in_seconds": plan.max_wait_seconds}
    return StoppingCondition(
        max_runtime_in_seconds=plan.max_run_seconds, **wait
    )


def _checkpoints(plan):
    if not plan.keeps_checkpoints:
        return None
    return CheckpointConfig(s3_uri=plan.location("checkpoints"))


def _input_data(plan):
    channels = [
        InputData(
            channel_name=name,
            data_source=S3DataSource(
                s3_data_type="S3Prefix",
                s3_uri=location,
                s3_data_distribution_type="FullyReplicated",
            ),
        )
        for name, location in plan.s3_channels.items()
    ]
    if plan.volume_id:
        volume = FileSystemDataSource(
            file_system_id=plan.volume_id,
            file_system_access_mode="rw",
            file_system_type="FSxLustre",
            directory_path=f"/{plan.mount_name}",
        )
        channels.insert(0, InputData(channel_name=CHANNEL, data_source=volume))
    return channels
