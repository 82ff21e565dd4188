"""Kills runs at random moments and compares their final states.

    python -m tests.distributed.kill_trials --trials 10 --ranks 1 2

Each trial is a run of 60 updates with a checkpoint every three updates. It is
killed with SIGKILL up to four times, unless it finishes earlier; every other
kill waits until a checkpoint is being written. Weights, optimizer and random
states must be bit-identical to those of an uninterrupted run.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import safetensors.numpy

from albert_keras.data.corpus.prepare import prepare_corpus
from tests.conftest import make_text
from tests.distributed.launch import end, run, start

STEPS = 60
KILLS = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        (directory / "text.txt").write_text(make_text(), encoding="utf-8")
        corpus = directory / "corpus"
        prepare_corpus([directory / "text.txt"], corpus, vocabulary_size=150)
        for ranks in options.ranks:
            whole = directory / f"whole-{ranks}"
            began = time.monotonic()
            run(ranks, *arguments(corpus, whole, ranks))
            seconds = time.monotonic() - began
            for trial in range(options.trials):
                target = directory / f"trial-{ranks}-{trial}"
                kills = until_done(corpus, target, ranks, seconds)
                compare(state(target), state(whole))
                print(
                    f"ranks {ranks}, trial {trial}: identical after "
                    f"{len(kills)} kills at update {kills}",
                    flush=True,
                )


def arguments(corpus, output_dir, ranks):
    flags = (
        "--model_size tiny --max_seq_length 32 --learning_rate 0.01 "
        f"--batch_size {8 // ranks} --total_steps {STEPS} "
        "--validation_steps 1 --validation_frequency 1000 "
        "--checkpoint_frequency 3 --keep_checkpoints 2 --log_frequency 1 "
        "--hidden_dropout_prob 0.1 --resume"
    ).split()
    paths = ["--data_dir", corpus, "--output_dir", output_dir]
    return ["recipes/pretrain.py", *paths, *flags]


def until_done(corpus, directory, ranks, seconds):
    """Kills and restarts a run until it ends; returns updates at each kill."""
    kills = []
    while True:
        job = start(ranks, *arguments(corpus, directory, ranks))
        in_a_write = len(kills) % 2 == 1
        deadline = time.monotonic() + random.uniform(0.3, 0.9) * seconds
        if len(kills) == KILLS:
            assert job.communicate() and job.returncode == 0
        while time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.001)
        while in_a_write and job.poll() is None and not writing(directory):
            pass
        finished = job.poll() == 0
        end(job)
        if finished:
            return kills
        assert job.returncode == -9, job.returncode
        kills.append(updates_done(directory))


def writing(directory):
    return list(directory.glob("checkpoints/.tmp-step-*/*.safetensors"))


def updates_done(directory):
    path = directory / "metrics.csv"
    return len(path.read_text().splitlines()) - 2 if path.is_file() else 0


def state(directory):
    (path,) = directory.glob(f"checkpoints/step-{STEPS:08d}")
    return safetensors.numpy.load_file(path / "training_state.safetensors")


def compare(mine, theirs):
    assert set(mine) == set(theirs)
    for name in theirs:
        np.testing.assert_array_equal(mine[name], theirs[name], name)


if __name__ == "__main__":
    main()
