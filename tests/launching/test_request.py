"""The requests to AWS, field by field, online and in a dry run."""

import dataclasses
import importlib.util
import json
import re
import shlex
import socket
from pathlib import Path

import pytest

from albert_keras.launching import source_code
from albert_keras.launching.source_code import JOB_SECRET
from albert_keras.workflows.settings.finetuning_on_sagemaker import FINETUNING
from albert_keras.workflows.settings.parse_settings import parse_settings
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from tests.launching.conftest import VARIABLES
from tests.launching.expected_request import expected_request
from tests.marks import slow_except

# The command line in the README of the AWS sample, with its flags.
PREDECESSORS = (
    "--source_dir=. --entry_point=run_pretraining.py "
    "--sm_job_name=albert-pretrain --instance_type=ml.p3dn.24xlarge "
    "--instance_count=8 --load_from=scratch --model_type=albert "
    "--model_size=base --per_gpu_batch_size=32 "
    "--gradient_accumulation_steps=2 --warmup_steps=3125 "
    "--total_steps=125000 --learning_rate=0.00176 --optimizer=lamb "
    "--train_dir=/fsx/albert_data/train --val_dir=/fsx/albert_data/val "
    "--skip_xla=true --name=myfirstjob"
).split()
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def whole_code():
    """Uploads all files: each takes the mocked S3 some milliseconds."""


@pytest.fixture(autouse=True)
def recipes_alone(request, monkeypatch):
    if "whole_code" not in request.fixturenames:
        others = {path.name for path in ROOT.iterdir()} - {"recipes"}
        monkeypatch.setattr(source_code, "IGNORED_AT_THE_TOP", others)


@pytest.fixture
def launch(recipe, variables):
    """A function that runs the launcher's command line."""

    def launch(*argv, launcher="pretrain_sagemaker"):
        return recipe(launcher).main(list(argv))

    return launch


def test_the_samples_command_line_makes_the_job_that_is_expected(
    account, launch, capsys
):
    name = launch(*PREDECESSORS)
    assert re.fullmatch(r"albert-pretrain-8xp3dn-\d{14}", name)
    job = account.describe(name)
    for field, value in expected_request(name).items():
        assert job[field] == value, field
    algorithm = job["AlgorithmSpecification"]
    assert algorithm["TrainingImage"] == VARIABLES["SAGEMAKER_IMAGE_NAME"]
    assert algorithm["TrainingInputMode"] == "File"
    assert algorithm["ContainerEntrypoint"] == ["/bin/bash"]

    # How SageMaker's driver starts the ranks.
    uploads = dict(
        account.objects(
            job["InputDataConfig"][2]["DataSource"]["S3DataSource"]["S3Uri"]
        )
    )
    assert json.loads(uploads["distributed.json"]) == {
        "process_count_per_node": 8,
        "mpi_additional_options": [
            *("-np", "64", "-bind-to", "none", "-map-by", "slot"),
            *("-x", "PYTHONPATH"),
        ],
    }
    source = json.loads(uploads["sourcecode.json"])
    assert source["entry_script"] == "recipes/pretrain.py"
    assert b"mpi_driver.py" in uploads["sm_train.sh"]
    shown = capsys.readouterr()
    assert shown.out == ""
    for note in (
        "--per_gpu_batch_size is now --batch_size",
        "replaced by --data_dir /fsx/albert_data",
        "run_pretraining.py is now recipes/pretrain.py",
        "4,096 rows = 64 ranks x 2 micro-batches x 32",
        f"Started {name}",
    ):
        assert note in shown.err


@pytest.mark.usefixtures("whole_code")
def test_the_code_is_uploaded_with_a_secret_of_its_own(account, launch):
    secrets = set()
    for _ in range(2):
        job = account.describe(launch("--sm_job_name", f"j{len(secrets)}"))
        location = job["InputDataConfig"][1]["DataSource"]["S3DataSource"]
        files = dict(account.objects(location["S3Uri"]))
        for path in ("recipes/pretrain.py", "albert_keras/config.py"):
            assert files[path] == (ROOT / path).read_bytes()
        assert not [f for f in files if f.startswith((".", "tests/", "docs/"))]
        secrets.add(files[JOB_SECRET])
    assert len(secrets) == 2
    assert all(re.fullmatch(b"[0-9a-f]{64}", secret) for secret in secrets)


def test_a_dry_run_prints_the_request_that_a_launch_sends(
    account, launch, capsys
):
    launch(*PREDECESSORS)
    (sent,) = account.requests("CreateTrainingJob")
    capsys.readouterr()
    launch(*PREDECESSORS, "--dry_run")
    shown = capsys.readouterr()

    def without_the_time(request):
        name = request["TrainingJobName"]
        return json.loads(json.dumps(request).replace(name, "NAME"))

    printed = without_the_time(json.loads(shown.out))
    assert printed == without_the_time(sent)
    assert len(account.requests("CreateTrainingJob")) == 1


def test_a_dry_run_needs_neither_network_nor_credentials(
    launch, monkeypatch, capsys
):
    attempts = []

    def no_network(*args, **kwargs):
        attempts.append(args)
        raise OSError("the network is cut")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    launch(*PREDECESSORS, "--dry_run", "--price_per_hour", "10")
    shown = capsys.readouterr()
    printed = json.loads(shown.out)
    for field, value in expected_request(printed["TrainingJobName"]).items():
        assert printed[field] == value, field
    assert not attempts
    # 125,000 x 4,096 x 512 tokens at 64 x 56,700 per second; 8 x 10 per hour.
    assert "20.1 hours at 3,628,800 tokens a second" in shown.err
    assert "1,605.33 for the instances" in shown.err


def test_hyperparameters_arrive_as_the_recipes_own_settings(
    account, launch, recipe, monkeypatch
):
    launched = recipe("pretrain_sagemaker")
    flags = (
        "--warmup_steps 7 --skip_sop --no_bias_correction --epsilon 1e-6 "
        "--pre_layer_norm true --name 2026 --checkpoint_dir ck --dry_run false"
    )
    name = launch(*flags.split())
    hyperparameters = account.describe(name)["HyperParameters"]
    drivers = importlib.util.find_spec("sagemaker.train.container_drivers")
    monkeypatch.syspath_prepend(Path(drivers.origin).parent)
    from common.utils import hyperparameters_to_cli_args

    argv = hyperparameters_to_cli_args(hyperparameters)
    arrived = parse_settings(PretrainingSettings, argv)
    volume = "/opt/ml/input/data/training"
    expected = PretrainingSettings(
        data_dir=f"{volume}/corpus",
        output_dir=f"{volume}/runs/albert-2026",
        checkpoint_dir=f"{volume}/ck",
        resume=True,
        warmup_steps=7,
        skip_sop=True,
        bias_correction=False,
        pre_layer_norm=True,
        name="2026",
    )
    assert arrived == expected
    fields = {f.name for f in dataclasses.fields(launched.PretrainOnSageMaker)}
    assert {f.name for f in dataclasses.fields(arrived)} < fields
    # Checkpoints are on the volume, so none are copied to S3 and back.
    assert "CheckpointConfig" not in account.calls[-1][1]


def test_the_commands_of_the_documentation_are_accepted(launch, capsys):
    text = (ROOT / "docs/sagemaker.md").read_text().replace("\\\n", " ")
    commands = re.findall(
        r"^    python recipes/(\w+_sagemaker)\.py (.*)$", text, re.MULTILINE
    )
    assert {name for name, _ in commands} == {
        "pretrain_sagemaker",
        "squad_sagemaker",
        "finetune_sagemaker",
    }
    for name, flags in commands:
        launch(*shlex.split(flags), "--dry_run", launcher=name)
        request = json.loads(capsys.readouterr().out)
        assert request["TrainingJobName"].startswith("albert")


@pytest.mark.parametrize("task", [None, *FINETUNING])
def test_every_path_of_a_recipe_is_one_of_the_volume(recipe, task):
    settings = FINETUNING.get(task)
    if task is None:
        settings = recipe("pretrain_sagemaker").PretrainOnSageMaker
    names = {
        field.name
        for field in dataclasses.fields(settings.RECIPE)
        if re.search("_(dir|file|path|config)$", field.name)
    }
    assert names - {"text_file"} <= set(settings.VOLUME_PATHS)


def test_squad_is_launched_with_the_files_of_the_sample(account, launch):
    name = launch(
        *"--pretrained runs/albert --squad_version=squadv1 --tags a=b "
        "--instance_type ml.g5.12xlarge --spot --max_run_seconds 7200".split(),
        launcher="squad_sagemaker",
    )
    job = account.describe(name)
    assert name.startswith("albert-squad-1xg512-")
    volume = "/opt/ml/input/data/training"
    for field, value in (
        ("pretrained", f"{volume}/runs/albert"),
        ("train_file", f"{volume}/squad_data/train-v1.1.json"),
        ("dev_file", f"{volume}/squad_data/dev-v1.1.json"),
        ("output_dir", f"{volume}/runs/albert-squad"),
    ):
        assert job["HyperParameters"][field] == value
    assert "squad_version" not in job["HyperParameters"]
    assert job["EnableManagedSpotTraining"] is True
    assert job["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 7200,
        "MaxWaitTimeInSeconds": 14400,
    }
    (request,) = account.requests("CreateTrainingJob")
    assert request["Tags"] == [{"Key": "a", "Value": "b"}]


# The launcher's flags by task, and hyperparameters that the job must get.
VOLUME = "/opt/ml/input/data/training"
JOBS = {
    "squad": ("", {"dev_file": f"{VOLUME}/squad_data/dev-v2.0.json"}),
    "glue": (
        "--glue_task RTE --seeds 5",
        {"task": "RTE", "seeds": "5", "data_dir": f"{VOLUME}/glue_data"},
    ),
    "race": ("--level high", {"level": "high", "data_dir": f"{VOLUME}/RACE"}),
    "tags": (
        "--train_file ner/eng.train --num_rows 14041",
        {"train_file": f"{VOLUME}/ner/eng.train"},
    ),
    "embeddings": (
        "--train_file s3://b-b/pairs.csv --temperature 0.1",
        {
            "mode": "train",
            "train_file": "/opt/ml/input/data/train_file/pairs.csv",
        },
    ),
    "classification": (
        "--train_file r.csv --label_column rude spam --loss focal",
        {
            "train_file": f"{VOLUME}/r.csv",
            "label_column": '["rude", "spam"]',
            "loss": "focal",
        },
    ),
}


@pytest.mark.parametrize("task", slow_except(FINETUNING, "classification"))
def test_every_fine_tuning_recipe_is_launched_with_its_own_settings(
    account, launch, monkeypatch, capsys, task
):
    flags, expected = JOBS[task]
    name = launch(
        *f"--task {task} --pretrained runs/albert".split(),
        *"--instance_type ml.g5.12xlarge --name a --batch_size 4".split(),
        *flags.split(),
        launcher="finetune_sagemaker",
    )
    settings_class = FINETUNING[task]
    job = account.describe(name)
    hyperparameters = job["HyperParameters"]
    assert hyperparameters["pretrained"] == f"{VOLUME}/runs/albert"
    assert hyperparameters["resume"] == "true"
    for field, value in expected.items():
        assert hyperparameters[field] == value, field
    short = {"glue": "glue-rte"}.get(task, task)
    assert hyperparameters["output_dir"] == f"{VOLUME}/runs/albert-{short}-a"
    drivers_channel = job["InputDataConfig"][-1]["DataSource"]["S3DataSource"]
    uploads = dict(account.objects(drivers_channel["S3Uri"]))
    entry = json.loads(uploads["sourcecode.json"])["entry_script"]
    assert entry == settings_class.entry_point
    # The recipe reads what SageMaker's driver passes to it.
    drivers = importlib.util.find_spec("sagemaker.train.container_drivers")
    monkeypatch.syspath_prepend(Path(drivers.origin).parent)
    from common.utils import hyperparameters_to_cli_args

    argv = hyperparameters_to_cli_args(hyperparameters)
    arrived = parse_settings(settings_class.RECIPE, argv)
    arrived.check()
    assert arrived.batch_size == 4 and arrived.name == "a"
    if task == "classification":
        assert arrived.label_column == ("rude", "spam")
    shown = capsys.readouterr().err
    assert "Global batch: 16 rows = 4 ranks x 1 micro-batches x 4" in shown
    unknown = "their number, and so the run time, depends on the data"
    assert (unknown in shown) == (task in ("classification", "embeddings"))


def test_a_launch_of_fine_tuning_names_what_is_wrong(launch):
    for flags, message in (
        ("", "--task must be one of squad, glue.*Received: None"),
        ("--task RTE", "Received: RTE.*--task glue --glue_task RTE"),
        (
            "--task classification --mode predict --input_file a.csv",
            "--mode predict is not for jobs",
        ),
        ("--task tags", "needs --train_file"),
        ("--task race --instance_count 3", "cannot be divided among 24 ranks"),
    ):
        with pytest.raises(SystemExit, match=message):
            launch(
                *flags.split(),
                *("--pretrained", "x", "--dry_run"),
                launcher="finetune_sagemaker",
            )


def test_data_in_s3_takes_the_place_of_a_volume(
    account, recipe, variables, monkeypatch, capsys
):
    for name in ("FSX_ID", "SUBNET_IDS", "SECURITY_GROUP_IDS"):
        monkeypatch.delenv(f"SAGEMAKER_{name}")
    name = recipe("pretrain_sagemaker").main(
        "--s3_data s3://texts/corpus --instance_type ml.p4d.24xlarge "
        "--load_from pretrained --pretrained s3://models/albert "
        "--squad_frequency 100 --squad_train_file s3://squad/train.json "
        "--global_batch_size 4096 --keep_alive_seconds 600 --wait".split()
    )
    job = account.describe(name)
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in job["InputDataConfig"][:3]
    }
    assert channels == {
        "training": "s3://texts/corpus",
        "pretrained": "s3://models/albert",
        "squad_train_file": "s3://squad/train.json",
    }
    assert "VpcConfig" not in job
    assert job["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    hyperparameters = job["HyperParameters"]
    for field, value in (
        ("data_dir", "/opt/ml/input/data/training"),
        ("pretrained", "/opt/ml/input/data/pretrained"),
        (
            "squad_train_file",
            "/opt/ml/input/data/squad_train_file/train.json",
        ),
        ("output_dir", "/opt/ml/output/data/runs/albert"),
        ("gradient_accumulation_steps", "16"),  # 4,096 / (8 x 32)
    ):
        assert hyperparameters[field] == value


def test_flags_override_the_environment_and_it_overrides_the_file(
    account, launch, tmp_path
):
    file = tmp_path / "launch.yaml"
    file.write_text(
        "role: arn:aws:iam::123456789012:role/file\n"
        "fsx_mount_name: file\nsubnet_ids: [subnet-1, subnet-2]\n"
        "total_steps: 7\ninstance_count: 3\n"
    )
    job = account.describe(
        launch("--config", str(file), "--fsx_mount_name", "flag")
    )
    volume = job["InputDataConfig"][0]["DataSource"]["FileSystemDataSource"]
    assert volume["DirectoryPath"] == "/flag"
    assert job["RoleArn"].endswith("role/albert")
    assert job["VpcConfig"]["Subnets"] == ["subnet-0a1"]
    assert job["HyperParameters"]["total_steps"] == "7"
    assert job["ResourceConfig"]["InstanceCount"] == 3
