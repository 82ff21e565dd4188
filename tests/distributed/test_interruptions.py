"""Interrupted runs lose nothing and never hang."""

import os
import shutil
import signal
import time

import numpy as np
import pytest
import safetensors.numpy

from albert_keras.training.callbacks import EXIT_INTERRUPTED
from albert_keras.training.callbacks.training_log import read_metrics
from tests.conftest import make_corpus, make_text
from tests.distributed.launch import (
    end,
    forked,
    needs_horovod,
    run_forked,
    start,
    wait_for,
    worker_pids,
)
from tests.squad_files import write_squad

pytestmark = [pytest.mark.process, needs_horovod]
STEPS = 24


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"), make_text())


def arguments(corpus, output_dir, ranks, *more):
    flags = (
        "--model_size tiny --max_seq_length 32 --learning_rate 0.01 "
        f"--batch_size {8 // ranks} --total_steps {STEPS} "
        "--validation_steps 2 --validation_frequency 1000 "
        "--checkpoint_frequency 4 --log_frequency 1 "
        "--hidden_dropout_prob 0.1 --resume"
    ).split()
    paths = ["--data_dir", corpus, "--output_dir", output_dir]
    return ["recipes/pretrain.py", *paths, *flags, *more]


def final_state(output_dir):
    (path,) = output_dir.glob(f"checkpoints/step-{STEPS:08d}")
    return safetensors.numpy.load_file(path / "training_state.safetensors")


@pytest.fixture(scope="module")
def uninterrupted(corpus, tmp_path_factory):
    """Directories of uninterrupted runs, by number of ranks."""
    runs = {}
    for ranks in (1, 2):
        runs[ranks] = tmp_path_factory.mktemp("whole") / str(ranks)
        output = run_forked(ranks, *arguments(corpus, runs[ranks], ranks))
        assert f"{ranks}gpus-8globalbatch-0.01maxlr" in output
    return runs


def updates_done(output_dir):
    """Updates in the log of a run that is in progress."""
    path = output_dir / "metrics.csv"
    return len(path.read_text().splitlines()) - 2 if path.is_file() else 0


@pytest.mark.slow
def test_a_validation_is_the_same_whatever_the_ranks(uninterrupted):
    first = [
        read_metrics(directory / "metrics.csv")[0]
        for directory in uninterrupted.values()
    ]
    for name in (name for name in first[0] if name.startswith("val_")):
        assert first[0][name] == pytest.approx(first[1][name], rel=1e-5), name
    assert first[0]["step"] == 0 and "val_mlm_loss" in first[0]


def stop_in_the_middle(corpus, directory, ranks):
    """Stops a run by a signal and returns the updates it had done."""
    with forked(ranks, *arguments(corpus, directory, ranks)) as job:
        wait_for(lambda: updates_done(directory) >= 5)
        # Only one of the ranks gets the signal; each of them ends itself.
        os.kill(job.processes[-1].pid, signal.SIGTERM)
        _, output = job.wait(60)
    done = updates_done(directory)
    assert f"Stopped by a signal after update {done}." in output
    codes = [process.exitcode for process in job.processes]
    assert codes == [EXIT_INTERRUPTED] * ranks
    assert done < STEPS  # no update is lost:
    assert (directory / f"checkpoints/step-{done:08d}").is_dir()
    return done


# tests/workflows/test_squad_probe.py stops a single process by a signal.
@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_told_to_stop_and_then_killed_ends_as_if_it_had_not_been(
    ranks, corpus, uninterrupted, tmp_path
):
    directory = tmp_path / "run"
    done = stop_in_the_middle(corpus, directory, ranks) if ranks > 1 else 2
    with forked(ranks, *arguments(corpus, directory, ranks)):
        wait_for(lambda: updates_done(directory) >= done + 3)
    # Leaving the block sent SIGKILL to all ranks.
    output = run_forked(ranks, *arguments(corpus, directory, ranks))
    assert "Resuming from update" in output
    mine, whole = final_state(directory), final_state(uninterrupted[ranks])
    assert set(mine) == set(whole)
    for name in whole:
        np.testing.assert_array_equal(mine[name], whole[name], name)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_ranks(
    corpus, uninterrupted, tmp_path
):
    directory = shutil.copytree(uninterrupted[1], tmp_path / "run")
    shutil.rmtree(directory / f"checkpoints/step-{STEPS:08d}")
    output = run_forked(2, *arguments(corpus, directory, 2))
    assert f"Resuming from update {STEPS - 4}" in output
    mine, whole = final_state(directory), final_state(uninterrupted[1])
    # Dropout differs; the weights stay close.
    for name in whole:
        if whole[name].dtype == np.float32:
            np.testing.assert_allclose(mine[name], whole[name], atol=0.05)


@pytest.mark.slow
def test_scores_on_squad_meanwhile_leave_no_trace_on_any_rank(
    corpus, uninterrupted, tmp_path
):
    config = tmp_path / "squad.yaml"
    config.write_text(
        "max_seq_length: 32\nmax_query_length: 12\n"
        "total_steps: 2\nbatch_size: 4\n"
    )
    path = write_squad(tmp_path / "squad.json")
    files = ("--squad_train_file", path, "--squad_dev_file", path)
    flags = ("--squad_frequency", "10", "--squad_config", config)
    directory = tmp_path / "run"
    output = run_forked(2, *arguments(corpus, directory, 2, *flags, *files))
    assert "Update 20: SQuAD exact" in output
    mine, whole = final_state(directory), final_state(uninterrupted[2])
    for name in whole:
        np.testing.assert_array_equal(mine[name], whole[name], name)


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_whole_job_soon(corpus, tmp_path):
    """With `horovodrun`, which ends the other ranks."""
    directory = tmp_path / "run"
    job = start(2, *arguments(corpus, directory, 2, "--total_steps", "100000"))
    try:
        wait_for(lambda: updates_done(directory) >= 3)
        os.kill(worker_pids(job, "pretrain.py")[1], signal.SIGKILL)
        began = time.monotonic()
        output, _ = job.communicate(timeout=60)
        assert time.monotonic() - began < 60
    finally:
        end(job)
    assert job.returncode != 0
    assert "rank: 1" in output.lower() or "Process name: 1" in output, output


def test_what_the_user_got_wrong_is_told_and_ends_every_rank(corpus, tmp_path):
    (tmp_path / "thesis.tex").write_text("work of years")
    with forked(2, *arguments(corpus, tmp_path, 2)) as job:
        _, output = job.wait(90)
    assert all(process.exitcode for process in job.processes)
    assert "holds something other than a run" in output
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
