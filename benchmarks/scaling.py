"""Measures how training scales with the number of ranks on this machine.

    python benchmarks/scaling.py --json scaling.json

Each round measures one rank on one core; `--ranks` independent processes, one
core each, which shows what the machine can reach; and `--ranks` ranks, one
core each. All have the same model, the same rows per process and update, and
one thread. Prints the medians, the efficiency (speed of all ranks / ranks /
speed of one), the same for the independent processes, and the share of the
time in the all-reduce, which includes waiting for the slower rank.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__)
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=6)
    parser.add_argument("--size", default="base")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--accumulation", type=int, default=4)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--compression", default=None)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", action="store_true")
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    results = {"one": [], "independent": [], "ranks": []}
    for _ in range(options.rounds):
        results["one"].append(launch(1, options)[0])
        copies = launch(1, options, copies=options.ranks)
        results["independent"].append(
            {
                key: sum(result[key] for result in copies)
                for key in ("tokens_per_second",)
            }
        )
        results["ranks"].append(launch(options.ranks, options)[0])
    report(results, options)


def launch(ranks, options, copies=1):
    """Runs one job, or several at the same time, and returns the results."""
    flags = [str(a) for a in sys.argv[1:] if a != "--worker"]
    command = [sys.executable, str(PROGRAM), *flags, "--worker"]
    if ranks > 1:
        launcher = Path(sys.executable).parent / "horovodrun"
        command = [str(launcher), "--gloo", "-np", str(ranks), *command]
    jobs = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **ONE_THREAD, "FIRST_CORE": str(copy)},
        )
        for copy in range(copies)
    ]
    results = []
    for output in [job.communicate()[0] for job in jobs]:
        lines = [line for line in output.splitlines() if "RESULT" in line]
        if not lines:
            raise SystemExit(f"{command} failed:\n{output}")
        results.append(json.loads(lines[0].split("RESULT", 1)[1]))
    return results


def work(options):
    """Runs a rank: updates on random rows, timed after the first two."""
    rank = int(os.environ.get("HOROVOD_RANK", 0))
    core = rank + int(os.environ.get("FIRST_CORE", 0))
    os.sched_setaffinity(0, {core % os.cpu_count()})
    import numpy as np

    from albert_keras import (
        AlbertBackbone,
        AlbertForPretraining,
        optimizers,
    )
    from albert_keras.training import distributed
    from albert_keras.training.callbacks import BroadcastState

    distributed.initialize()
    model = AlbertForPretraining(AlbertBackbone.from_size(options.size))
    model.compile(
        optimizers.Lamb(1e-3, global_clipnorm=1.0),
        gradient_accumulation_steps=options.accumulation,
        gradient_compression=options.compression,
        jit_compile=False,
    )
    rows = options.rows * options.accumulation
    inputs, labels, weights = random_rows(
        distributed.rank(), rows, options.length
    )
    clock = make_clock()
    model.fit(
        inputs,
        labels,
        sample_weight=weights,
        batch_size=rows,
        epochs=options.updates + 2,
        verbose=0,
        callbacks=[BroadcastState(), clock],
    )
    seconds = statistics.median(np.diff(clock.ends)[1:].tolist())
    communication = statistics.median(clock.communication[2:])
    tokens = rows * options.length * distributed.size() / seconds
    parameters = model.count_params()
    if distributed.rank() == 0:
        result = {
            "seconds_per_update": seconds,
            "tokens_per_second": tokens,
            "communication_share": communication / seconds,
            "gradient_bytes": parameters * (2 if options.compression else 4),
        }
        print("RESULT" + json.dumps(result), flush=True)


def random_rows(seed, rows, length):
    """Makes a batch: inputs, labels and weights, 15% of the tokens masked."""
    import numpy as np

    rng = np.random.default_rng(seed)
    slots = round(0.15 * length)
    inputs = {
        "token_ids": rng.integers(5, 30000, (rows, length), "int32"),
        "segment_ids": np.zeros((rows, length), "int32"),
        "padding_mask": np.ones((rows, length), "int32"),
        "mask_positions": rng.integers(0, length, (rows, slots), "int32"),
    }
    labels = {
        "mlm": rng.integers(5, 30000, (rows, slots), "int32"),
        "sop": rng.integers(0, 2, rows, "int32"),
    }
    weights = {
        "mlm": np.ones((rows, slots), "float32"),
        "sop": np.ones(rows, "float32"),
    }
    return inputs, labels, weights


def make_clock():
    """Makes a callback that records updates' ends and communication times."""
    import time

    import keras

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.ends, self.communication = [], []

        def on_train_batch_end(self, batch, logs=None):
            self.ends.append(time.perf_counter())
            metrics = self.model.get_metrics_result()
            self.communication.append(
                float(metrics.get("communication_seconds", 0.0))
            )
            self.model.reset_metrics()

    return Clock()


def report(results, options):
    print(
        f"{options.size}, {options.rows} x {options.length} tokens x "
        f"{options.accumulation} micro-batches on each rank, one thread each"
    )
    medians = {
        name: {
            key: statistics.median(result[key] for result in found)
            for key in found[0]
        }
        for name, found in results.items()
    }
    speeds = {
        name: median["tokens_per_second"] for name, median in medians.items()
    }
    efficiency = {
        name: speeds[name] / options.ranks / speeds["one"]
        for name in ("independent", "ranks")
    }
    for name, found in results.items():
        rounds = [round(result["tokens_per_second"]) for result in found]
        print(
            f"{name:<12} {speeds[name]:>8,.0f} tokens/s, rounds {rounds}"
            + (f", {efficiency[name]:.1%}" if name in efficiency else "")
        )
    share = medians["ranks"]["communication_share"]
    print(f"all-reduce: {share:.1%} of the ranks' time")
    if options.json:
        document = {
            "options": {
                key: value
                for key, value in vars(options).items()
                if key != "json"
            },
            "medians": medians,
            "rounds": results,
            "efficiency": efficiency,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
