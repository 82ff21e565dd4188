"""Launches a job on Amazon SageMaker from a launcher's settings."""

import dataclasses
import json
import sys
from typing import Any

from albert_keras.launching.estimate import estimate
from albert_keras.launching.hyperparameters import (
    CHANNEL,
    CONTAINER,
    path_in_a_channel,
    path_in_the_job,
    to_hyperparameters,
)
from albert_keras.launching.job_plan import JobPlan, accumulation_for
from albert_keras.launching.names import account_of
from albert_keras.training.runs.log_lines import metric_pattern
from albert_keras.workflows.settings.parse_settings import name_flags

# Settings with a path that the job writes to.
WRITTEN = ("output_dir", "checkpoint_dir")


def launch(settings: Any) -> dict | str:
    """Starts a job, or prints its request.

    Args:
        settings: `SageMakerSettings`, with the settings of a recipe.

    Returns:
        With `--dry_run` the request, else the job's name.
    """
    settings.check_launch()
    settings = with_accumulation(settings)
    settings, s3_channels = with_paths_in_the_job(settings)
    settings.check()
    plan = make_plan(settings, s3_channels)
    announce(settings, plan)
    try:  # imports for a second
        from albert_keras.launching import model_trainer
    except ImportError as error:
        raise ValueError(
            "Launching needs SageMaker's Python SDK. Install it with "
            f"pip install 'albert-keras[sagemaker]' ({error})."
        ) from error
    if settings.dry_run:
        request = model_trainer.training_request(plan)
        print(json.dumps(request, indent=2))
        return request
    name = model_trainer.launch(plan, settings.wait)
    say(
        f"{'Finished' if settings.wait else 'Started'} {name}. Model: "
        f"{plan.location('output')}/{name}/output/model.tar.gz."
    )
    return name


def with_accumulation(settings):
    """Sets the number of micro-batches from `global_batch_size`, if given."""
    if settings.global_batch_size is None:
        return settings
    if settings.batch_size is None:
        raise ValueError(
            "--global_batch_size needs --batch_size, the rows of a micro-batch "
            "on each rank."
        )
    steps = accumulation_for(
        settings.global_batch_size, settings.batch_size, settings.num_ranks()
    )
    return dataclasses.replace(settings, gradient_accumulation_steps=steps)


def make_plan(settings, s3_channels):
    """The `JobPlan` for checked settings with paths in the container."""
    region = settings.region_of_job()
    return JobPlan(
        base_name=settings.base_name(),
        role=settings.role,
        image=settings.image_name,
        region=region,
        bucket=settings.bucket
        or f"sagemaker-{region}-{account_of(settings.role)}",
        prefix=settings.purpose(),
        instance_type=settings.instance_type,
        instance_count=settings.instance_count,
        processes_per_host=settings.ranks_per_host(),
        source_dir=settings.source_dir,
        entry_point=settings.entry_point,
        hyperparameters=to_hyperparameters(settings, settings.RECIPE),
        volume_id=settings.fsx_id,
        mount_name=settings.fsx_mount_name,
        s3_channels=s3_channels,
        # The uploaded code takes precedence over the image's packages.
        environment={
            "PYTHONPATH": str(CONTAINER.channel("code")),
            "PYTHONUNBUFFERED": "1",
        },
        metrics=metrics_of(settings),
        subnets=settings.ids("subnet_ids"),
        security_group_ids=settings.ids("security_group_ids"),
        disk_gb=settings.volume_size_gb,
        max_run_seconds=settings.max_run_seconds,
        spot=settings.spot,
        max_wait_seconds=settings.wait_seconds(),
        keep_alive_seconds=settings.keep_alive_seconds,
        keeps_checkpoints=not getattr(settings, "checkpoint_dir", None),
        tags=tuple(tuple(tag.split("=", 1)) for tag in settings.tags),
    )


def with_paths_in_the_job(settings):
    """Translates paths to the container's; adds channels for paths in S3.

    On a volume, all paths are below its mount point. With data in S3, which a
    job cannot write to, the run directory is in the folder that SageMaker
    uploads when the job ends. A job resumes an earlier one of the same names.
    """
    read_from = CONTAINER.channel(CHANNEL)
    results = read_from if settings.fsx_id else CONTAINER.output_data
    channels = {CHANNEL: settings.s3_data} if settings.s3_data else {}
    without_volume = () if settings.fsx_id else ("checkpoint_dir",)
    paths = {"resume": True, **settings.default_paths()}
    for name in settings.VOLUME_PATHS:
        value = getattr(settings, name) or paths.get(name) or ""
        in_s3 = value.startswith("s3://")
        if value and name in WRITTEN and (in_s3 or name in without_volume):
            raise ValueError(
                f"--{name} {value} must be on a volume. Without one, omit the "
                "flag: SageMaker stores the job's results in --bucket."
            )
        if in_s3:
            channels[name] = value
            paths[name] = path_in_a_channel(CONTAINER.channel(name), value)
        elif value:
            folder = results if name == "output_dir" else read_from
            paths[name] = path_in_the_job(
                name, value, settings.filesystem_prefix, folder
            )
    return dataclasses.replace(settings, **paths), channels


def metrics_of(settings):
    """Names and regular expressions of the metrics in the log."""
    return tuple(
        (shown, metric_pattern(name))
        for shown, name in settings.METRICS.items()
    )


def announce(settings, plan):
    """Prints the job's size, and its estimated run time and cost."""
    ranks = plan.num_ranks
    work = settings.workload(ranks)
    rows = work.global_batch_size
    expected = estimate(
        work,
        plan.instance_count,
        settings.instance(),
        settings.tokens_per_second,
        settings.price_per_hour,
    )
    data = settings.s3_data or f"{plan.volume_id}:/{plan.mount_name}"
    say(
        f"Job {plan.base_name}: {plan.instance_count} x {plan.instance_type}, "
        f"{ranks} ranks. Data: {data}.\n"
        f"Global batch: {rows:,} rows = {ranks} ranks x "
        f"{settings.gradient_accumulation_steps} micro-batches x "
        f"{rows // ranks // settings.gradient_accumulation_steps}.\n"
        f"{describe_work(work, expected, type(settings))}\n"
        f"Run directory: {plan.hyperparameters['output_dir']}; checkpoints: "
        + (
            plan.location("checkpoints")
            if plan.keeps_checkpoints
            else plan.hyperparameters["checkpoint_dir"]
        )
        + ". A later job of the same names resumes from them."
    )


def describe_work(work, expected, settings_class):
    """The number of updates and tokens, and the estimated run time."""
    rows, length = work.global_batch_size, work.sequence_length
    if work.updates is None:
        return (
            f"Updates of at most {rows:,} x {length} tokens; their number, and "
            "so the run time, depends on the data."
        )
    return (
        f"{work.updates:,} updates of {rows:,} x {length} tokens = "
        f"{work.tokens:,} tokens. {name_flags(str(expected), settings_class)}"
    )


def say(text):
    """Prints to standard error; standard output is reserved for the request."""
    print(text, file=sys.stderr, flush=True)
