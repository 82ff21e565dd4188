"""Measures how fast text becomes a token store, and a store batches.

    python benchmarks/data.py --text some.txt --vocabulary 30k-clean.model \
        --json data.json

Makes `--megabytes` of text by repeating `--text` with some words replaced.
Each round then measures two things: `--processes` processes that only run
`SentencePieceProcessor.encode` on their share of the lines, lowercased and in
memory; and `prepare_corpus` with as many workers, from the file to the
finished store, including the start and end of its processes. Prints tokens
per second, their ratio, memory and disk space; preparing a quarter of the text
shows whether memory grows. Further rounds make batches of 512 tokens in one
process, with the files in the page cache and dropped from it.

For comparison: Google's `create_pretraining_data.py` made 70,000 tokens per
second on one core of such a machine, and writes every text ten times or more.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rounds import run_light

GOOGLE = 70_000  # tokens per second on one core, measured separately
ROOT = Path(__file__).parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--work_dir", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        results = measure(options, Path(directory))
    report(options, results)


def measure(options, directory):
    whole, quarter = directory / "text.txt", directory / "quarter.txt"
    write_text(options.text, whole, options.megabytes * 1e6)
    write_text(options.text, quarter, options.megabytes * 1e6 / 4)
    results = {"bare": [], "prepare": [], "cold": [], "warm": []}
    results["quarter"] = prepare(options, quarter, directory / "quarter")
    for number in range(options.rounds):
        results["bare"].append(bare(options, whole))
        store = directory / f"store{number}"
        results["prepare"].append(prepare(options, whole, store))
    results["bytes_a_token"] = bytes_a_token(store)
    for _ in range(options.rounds):
        results["cold"].append(batches(options, store, drop=True))
        results["warm"].append(batches(options, store, drop=False))
    return results


def write_text(source, target, size):
    """Repeats a text and replaces every tenth lowercase word by another."""
    rng = random.Random(0)
    lines = source.read_text(encoding="utf-8").split("\n")
    words = [w for line in lines for w in line.split(" ") if w.islower()]
    written = 0
    with target.open("w", encoding="utf-8") as file:
        while written < size:
            for line in lines:
                changed = " ".join(
                    rng.choice(words)
                    if word.islower() and rng.random() < 0.1
                    else word
                    for word in line.strip().split(" ")
                )
                written += len(changed.encode()) + 1
                file.write(changed + "\n")


# === Preparation ===

BARE = """
import json, sys, time
import sentencepiece
path, vocabulary = sys.argv[1:3]
index, count = map(int, sys.argv[3:])
processor = sentencepiece.SentencePieceProcessor(model_file=vocabulary)
with open(path, encoding="utf-8") as file:
    lines = file.read().lower().split("\\n")
lines = lines[index * len(lines) // count : (index + 1) * len(lines) // count]
print("ready", flush=True)
sys.stdin.readline()
busy = time.process_time()
tokens = 0
for start in range(0, len(lines), 20_000):
    encoded = processor.encode(lines[start : start + 20_000], num_threads=1)
    tokens += sum(map(len, encoded))
print(tokens, time.process_time() - busy, flush=True)
"""

PREPARE = """
import json, resource, sys, time
from albert_keras.data.corpus.prepare import prepare_corpus
path, directory, vocabulary, workers = sys.argv[1:]
def peak():  # ru_maxrss would include the parent process
    with open("/proc/self/status") as status:
        return next(int(l.split()[1]) for l in status if l.startswith("VmHWM"))
def main():
    start = time.perf_counter()
    manifest = prepare_corpus(
        [path], directory, vocabulary, workers=int(workers)
    )
    seconds = time.perf_counter() - start
    own = resource.getrusage(resource.RUSAGE_SELF)
    worker = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({
        "tokens": manifest["num_tokens"],
        "seconds": seconds,
        "core_seconds": own.ru_utime + own.ru_stime
        + worker.ru_utime + worker.ru_stime,
        "megabytes_of_memory": (peak() + int(workers) * worker.ru_maxrss) / 1e3,
    }))
"""


def bare(options, text):
    """Runs SentencePiece alone; timing starts when all have their text."""
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", BARE, str(text), str(options.vocabulary)]
            + [str(index), str(options.processes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(options.processes)
    ]
    for job in jobs:
        job.stdout.readline()
    start = time.perf_counter()
    for job in jobs:
        job.stdin.write("go\n")
        job.stdin.flush()
    answers = [job.stdout.readline().split() for job in jobs]
    seconds = time.perf_counter() - start
    for job in jobs:
        job.communicate()
    return {
        "tokens": sum(int(tokens) for tokens, _ in answers),
        "seconds": seconds,
        "core_seconds": sum(float(busy) for _, busy in answers),
    }


def prepare(options, text, store):
    """Runs `prepare_corpus` in a process that has not loaded Keras."""
    return run_light(
        PREPARE, text, store, options.vocabulary, options.processes
    )


def bytes_a_token(store):
    tokens = json.loads((store / "store.json").read_text())["num_tokens"]
    return sum(path.stat().st_size for path in store.iterdir()) / tokens


# === Batches ===


def batches(options, store, drop):
    """Makes the batches of a pass over the store, at most 500, in a process."""
    from albert_keras.data import PretrainingDataset

    if drop:
        for path in store.glob("*.bin"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    dataset = PretrainingDataset(store, options.length, options.rows)
    steps = min(int(dataset.steps_per_pass), 500)
    start, busy = time.perf_counter(), time.process_time()
    for step in range(steps):
        dataset[step]
    seconds = time.perf_counter() - start
    return {
        "tokens": steps * options.rows * options.length,
        "seconds": seconds,
        "core_seconds": time.process_time() - busy,
    }


# === Report ===


def report(options, results):
    figures = summary(results)
    show(options, results, figures)
    if options.json:
        document = {
            "options": {
                key: str(value)
                for key, value in vars(options).items()
                if key != "json"
            },
            **figures,
            "rounds": results,
            "memory_of_this_process": resource.getrusage(
                resource.RUSAGE_SELF
            ).ru_maxrss
            / 1e3,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def summary(results):
    """Median speeds, and `prepare_corpus` / SentencePiece for each round."""
    speed = {
        name: statistics.median(
            round_["tokens"] / round_["seconds"] for round_ in results[name]
        )
        for name in ("bare", "prepare", "cold", "warm")
    }
    by_wall, by_core = (
        [
            ours["tokens"] / ours[unit] * theirs[unit] / theirs["tokens"]
            for ours, theirs in zip(
                results["prepare"], results["bare"], strict=True
            )
        ]
        for unit in ("seconds", "core_seconds")
    )
    return {
        "tokens_a_second": speed,
        "ratios": by_wall,
        "ratios_of_core_seconds": by_core,
        "load": os.getloadavg()[0],
    }


def show(options, results, figures):
    speed = figures["tokens_a_second"]
    by_wall, by_core = figures["ratios"], figures["ratios_of_core_seconds"]
    memory = max(r["megabytes_of_memory"] for r in results["prepare"])
    per_core = statistics.median(
        r["tokens"] / r["core_seconds"] for r in results["prepare"]
    )
    print(
        f"{options.megabytes:g} MB of text, {options.processes} processes on "
        f"{os.cpu_count()} cores, load {figures['load']:.1f} at the end\n"
        f"SentencePiece alone   {speed['bare']:>12,.0f} tokens/s\n"
        f"text to store         {speed['prepare']:>12,.0f} tokens/s, ratio "
        f"{statistics.median(by_wall):.2f}, rounds {two_digits(by_wall)}\n"
        f"  in core seconds, which depend less on the machine's load: ratio "
        f"{statistics.median(by_core):.2f}, rounds {two_digits(by_core)}\n"
        f"                      {per_core / GOOGLE:>12.0f} times Google's "
        f"{GOOGLE:,} per core\n"
        f"memory of all         {memory:>12,.0f} MB; for a quarter of the text "
        f"{results['quarter']['megabytes_of_memory']:,.0f} MB\n"
        f"disk                  {results['bytes_a_token']:>12.3f} bytes per "
        "token"
    )
    for name in ("cold", "warm"):
        rounds = [
            f"{r['tokens'] / r['seconds'] / 1e6:.2f} "
            f"({r['tokens'] / r['core_seconds'] / 1e6:.2f})"
            for r in results[name]
        ]
        print(
            f"batches, {name} files   {speed[name]:>12,.0f} tokens/s at "
            f"{options.length}; millions by round, in brackets per core "
            f"second: {', '.join(rounds)}"
        )


def two_digits(numbers):
    return [round(number, 2) for number in numbers]


if __name__ == "__main__":
    main()
