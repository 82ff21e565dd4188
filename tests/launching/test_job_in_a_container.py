"""Runs a launched job on this machine, with SageMaker's driver and MPI."""

import re
import shutil

import pytest

import albert_keras as ak
from albert_keras.data.corpus.prepare import prepare_corpus
from albert_keras.training.callbacks import EXIT_INTERRUPTED
from albert_keras.training.callbacks.training_log import read_metrics
from tests.conftest import make_text
from tests.launching import container
from tests.launching.container import end, lay_out, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.process]
STEPS = 40
FLAGS = (
    "--instance_type ml.m5.xlarge --sm_job_name tiny --model_size tiny "
    "--image_name 123456789012.dkr.ecr.us-east-1.amazonaws.com/albert-keras:cpu"
    f" --max_seq_length 32 --batch_size 4 --total_steps {STEPS} "
    "--learning_rate 0.01 --validation_steps 2 --validation_frequency 1000 "
    "--log_frequency 2 --checkpoint_frequency 1000"
).split()


@pytest.fixture(scope="module", autouse=True)
def containers_run_here():
    reason = container.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def volume(tmp_path):
    (tmp_path / "text.txt").write_text(make_text(), encoding="utf-8")
    (tmp_path / "volume").mkdir()
    prepare_corpus(
        [tmp_path / "text.txt"],
        tmp_path / "volume" / "corpus",
        vocabulary_size=150,
        validation_share=0.2,
    )
    return tmp_path / "volume"


@pytest.fixture
def launch(account, variables, recipe, volume, tmp_path):
    """A function that launches a job and creates its files."""
    launched = []

    def launch(*flags, hosts=("algo-1",)):
        name = recipe("pretrain_sagemaker").main([*FLAGS, *flags])
        job = account.describe(name)
        launched.append(name)
        directory = tmp_path / f"job-{len(launched)}"
        return job, lay_out(job, account.objects, directory, volume, hosts)

    return launch


def read_by(job, output):
    """The metrics that SageMaker would read from a job's log."""
    definitions = job["AlgorithmSpecification"]["MetricDefinitions"]
    return {
        metric["Name"]: [
            float(number) for number in re.findall(metric["Regex"], output)
        ]
        for metric in definitions
    }


def run_until_told_to_stop(job, folders, metrics):
    """Stops a job of one host; returns its number of completed updates."""
    first = start(job, folders, "algo-1")
    try:
        wait_for(
            lambda: metrics.is_file() and len(read_metrics(metrics)) > 2, first
        )
        container.tell_to_stop(first)
        output, _ = first.communicate(timeout=180)
    finally:
        end(first)
    assert first.returncode == EXIT_INTERRUPTED, output
    assert "2gpus-8globalbatch" in output
    stopped = re.search("Stopped by a signal after update ([0-9]+)", output)
    done = int(stopped[1])
    assert 4 <= done < STEPS
    ml = folders["algo-1"] / "ml"
    assert stopped[0] in (ml / "output" / "failure").read_text()
    (checkpoint,) = (ml / "checkpoints").glob("step-*")
    assert checkpoint.name == f"step-{done:08d}"
    return done


def run_on_two_hosts(job, folders):
    """Runs a job to its end; returns the output of the first host."""
    containers = [start(job, folders, name) for name in folders]
    try:
        container.connect(*containers)
        output, _ = containers[0].communicate(timeout=300)
        assert containers[0].returncode == 0, output
    finally:
        for each in containers:
            end(each)
    assert "--host algo-1,algo-2 -np 1 " in output  # the driver's own
    assert "2gpus-8globalbatch" in output
    keys = [
        next((folder / "scratch" / "etc" / "ssh").glob("*ed25519*.pub"))
        for folder in folders.values()
    ]
    assert keys[0].read_text() != keys[1].read_text()
    return output


def test_a_job_told_to_stop_is_gone_on_with_by_the_next_on_two_hosts(
    launch, account, volume, capsys
):
    metrics = volume / "runs" / "tiny" / "metrics.csv"
    job, folders = launch("--processes_per_host", "2")
    done = run_until_told_to_stop(job, folders, metrics)
    kept = folders["algo-1"] / "ml" / "checkpoints"

    # On every host, the next job finds the checkpoint that SageMaker kept.
    hosts = ("algo-1", "algo-2")
    job, folders = launch("--instance_count", "2", hosts=hosts)
    for folder in folders.values():
        (folder / "ml" / "checkpoints").rmdir()
        shutil.copytree(kept, folder / "ml" / "checkpoints")
    output = run_on_two_hosts(job, folders)
    assert f"Resuming from update {done}." in output
    first, second = (folder / "ml" for folder in folders.values())
    assert (first / "checkpoints" / f"step-{STEPS:08d}").is_dir()
    # Only the first rank writes.
    assert len(list((second / "checkpoints").iterdir())) == 1
    assert not (first / "output" / "failure").exists()
    assert list((first / "output" / "tensorboard").glob("events.*"))
    for place in (first / "model", volume / "runs" / "tiny" / "model"):
        model = ak.AlbertForPretraining.from_pretrained(place)
        assert model.config.num_layers == ak.AlbertConfig.tiny().num_layers

    rows = [row for row in read_metrics(metrics) if row["step"] > done]
    (request,) = account.requests("CreateTrainingJob")[1:]
    numbers = read_by(request, output)
    for shown, name in (
        ("train/loss", "loss"),
        ("train/mlm_acc", "mlm_accuracy"),
        ("val/sop_loss", "val_sop_loss"),
        ("tokens_per_second", "tokens_per_second"),
    ):
        logged = [row[name] for row in rows if name in row]
        assert numbers[shown] == pytest.approx(logged, rel=1e-5), name
        assert logged
    assert "[1,1]<stdout>" not in output  # the other rank is silent


def test_a_job_that_has_no_ranks_yet_ends_at_once(launch, volume):
    job, folders = launch()
    command = "chmod +x {0} && {0}".format("/opt/ml/input/data/sleep.sh")
    (folders["algo-1"] / "ml/input/data/sleep.sh").write_text(
        "#!/bin/bash\necho asleep\nsleep 300\n"
    )
    job["AlgorithmSpecification"]["ContainerArguments"] = ["-c", command]
    first = start(job, folders, "algo-1")
    try:
        assert first.stdout.readline() == "asleep\n"
        container.tell_to_stop(first)
        output, _ = first.communicate(timeout=30)
    finally:
        end(first)
    assert "SIGTERM: telling the ranks" in output
    assert first.returncode == 128 + 15
