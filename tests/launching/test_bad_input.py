"""Mistakes are reported before any call to AWS."""

import re

import pytest

from albert_keras.launching.instance_types import INSTANCE_TYPES

CPU_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/albert-keras:cpu"


@pytest.fixture
def message(account, recipe, capsys):
    """A function that launches with a mistake and returns the message."""

    def message(flags, launcher="pretrain_sagemaker"):
        with pytest.raises(SystemExit) as stop:
            recipe(launcher).main(flags.split())
        assert not account.calls
        return str(stop.value)

    return message


def test_all_that_is_missing_is_named_with_its_variable(no_variables, message):
    said = message("")
    for flag, variable in (
        ("role", "SAGEMAKER_ROLE"),
        ("image_name", "SAGEMAKER_IMAGE_NAME"),
        ("fsx_id", "SAGEMAKER_FSX_ID"),
        ("subnet_ids", "SAGEMAKER_SUBNET_IDS"),
        ("security_group_ids", "SAGEMAKER_SECURITY_GROUP_IDS"),
    ):
        assert f"--{flag} (or {variable})" in said


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("--fsx_mount_name /fsx", "without a slash.*Received: '/fsx'"),
        ("--role albert", "--role must be like this: arn:aws:iam"),
        ("--image_name Albert:1", "--image_name must be like this"),
        ("--fsx_id volume", "--fsx_id must be like this: fs-"),
        ("--subnet_ids 10.0.0.0/16", "--subnet_ids must be.*10.0.0.0/16"),
        ("--sm_job_name my_job", "--sm_job_name must be.*Received: 'my_job'"),
        (f"--sm_job_name {'a' * 44}", "no room for the time"),
        ("--name it's", "--name must be like this"),
        ("--s3_data s3://b/c", "--fsx_id and --s3_data are both given"),
        ("--tags alone", "--tags must be like this: KEY=VALUE"),
        ("--region eu-west-1", "is in us-east-1, but SageMaker needs both"),
        ("--instance_type ml.p9.48xlarge", "is unknown. Pass one of: ml.p3.2"),
        ("--instance_type ml.m5.xlarge", "has no GPUs, but .* for GPUs"),
        (f"--image_name {CPU_IMAGE}", "8 GPUs, which the CPU image"),
        ("--instance_count 0", "--instance_count must be at least 1"),
        ("--processes_per_host 9", "has 8 GPUs"),
        ("--max_run_seconds 9999999", "28 days"),
        ("--spot --keep_alive_seconds 60", "exclude each other"),
        ("--max_wait_seconds 60", "needs --spot"),
        (
            "--global_batch_size 1000 --instance_count 2",
            "multiple of 16 ranks x --batch_size 32 = 512. Pass 512 or 1,024",
        ),
        ("--data_dir /home/me/corpus", "must be on the volume"),
        ("--data_dir ../corpus", "must be on the volume"),
        ("--output_dir s3://b-b/runs", "must be on a volume"),
        ("--run_name it's", "no quotation marks"),
        ("--run_name 1e3", "would reach the job as '1000.0'"),
        ("--batch_size 0", "--batch_size must be above 0"),
        ("--source_dir /tmp", "holds no --entry_point recipes/pretrain.py"),
        ("--entry_point train.py", "holds no --entry_point train.py"),
        ("--load_from huggingface", "--load_from pretrained --pretrained hf:"),
        ("--log_dir logs/albert", "in its --output_dir"),
        ("--evaluate_frequency 5000", "Pass --squad_frequency"),
        ("--train_dir a/train --val_dir b/val", "Pass it as --data_dir"),
        ("--electra_tie_weights true", "trains ALBERT, not ELECTRA"),
    ],
)
def test_a_mistake_is_told(variables, message, flags, expected):
    said = message(flags)
    assert re.search(expected, said), said


def test_subnets_go_with_security_groups(variables, message, monkeypatch):
    monkeypatch.delenv("SAGEMAKER_SECURITY_GROUP_IDS")
    said = message("")
    assert said.startswith(
        "pretrain_sagemaker: Missing: --security_group_ids (or "
        "SAGEMAKER_SECURITY_GROUP_IDS)."
    )
    monkeypatch.delenv("SAGEMAKER_FSX_ID")
    assert "Missing: --security_group_ids" in message("--s3_data s3://b-b/c")
    monkeypatch.delenv("SAGEMAKER_SUBNET_IDS")
    said = message("--s3_data s3://b-b/c --checkpoint_dir ck")
    assert "--checkpoint_dir ck must be on a volume" in said


def test_the_task_s_batch_must_be_shared_out_evenly(variables, message):
    said = message("--pretrained x --instance_count 4", "squad_sagemaker")
    assert "batch of 48 rows cannot be divided among 32 ranks" in said


def test_what_amazon_refuses_is_told_in_one_line(
    variables, account, recipe, monkeypatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "none-of-that-name")
    with pytest.raises(SystemExit, match="profile .none-of-that-name.*What go"):
        recipe("pretrain_sagemaker").main([])


def test_the_instance_types_of_the_sample_have_its_processes_and_names():
    sample = {
        "ml.p3dn.24xlarge": (8, "p3dn"),
        "ml.p3.16xlarge": (8, "p316"),
        "ml.g4dn.12xlarge": (4, "g4dn"),
    }
    for name, expected in sample.items():
        instance = INSTANCE_TYPES[name]
        assert (instance.num_gpus, instance.short_name) == expected
    todays = {"p4d.24": 8, "p5.48": 8, "g5.48": 8, "g5.12": 4, "g6e.48": 8}
    for name, num_gpus in todays.items():
        assert INSTANCE_TYPES[f"ml.{name}xlarge"].num_gpus == num_gpus
    names = [instance.short_name for instance in INSTANCE_TYPES.values()]
    assert len(set(names)) == len(names)
