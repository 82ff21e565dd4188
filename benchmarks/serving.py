"""Loads `recipes/serve.py`, and compares it with its runtime alone.

    python benchmarks/serving.py --export exports/reviews --json serving.json

32 clients send 1,000 requests of one text each over the loopback; every answer
is compared with that of the text alone. The texts have random pieces of the
vocabulary and one length, so that the runtime alone, in a process of its own,
gets batches of the same rows and width. The server and the runtime take turns;
results are medians of the rounds. The server's share of the runtime's
throughput must be 0.85 or more. Run it on a machine that does nothing else: the
clients need a core as well.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from rounds import record_of

from albert_keras.serving.text_predictor import TextPredictor
from albert_keras.text_tasks.example_requests import example_requests

ROOT = Path(__file__).parents[1]
SHARE = 0.85


def main(argv=None):
    options = parse(argv)
    predictor = TextPredictor(options.export, options.threads)
    texts = make_texts(predictor, options)
    expected = predict_alone(predictor, texts)
    alone, served = [], []
    with Server(options) as server:
        for _ in range(options.rounds):
            alone.append(measure_runtime(predictor, texts, options))
            served.append(server.measure(texts, expected, options))
        batch = server.mean_batch()
    return report(options, alone, served, batch)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export", required=True, help="of recipes/export.py")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--words", type=int, default=64, help="of each text")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, help="of the runtime")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args(argv)


def make_texts(predictor, options):
    """Different texts of one number of tokens."""
    rng = np.random.default_rng(0)
    tokenizer = predictor.tokenizer
    pieces = map(tokenizer.id_to_piece, range(tokenizer.vocabulary_size))
    words = [piece[1:] for piece in pieces if piece[1:].isalpha()]
    texts = [
        " ".join(rng.choice(words, options.words))
        for _ in range(options.requests)
    ]
    return example_requests(predictor.manifest.facts.model_class, (texts,))


def rows_of(task):
    """The inputs of each row."""
    return [
        task.examples.batch(np.array([index]), int(length))[0]
        for index, length in enumerate(task.examples.lengths)
    ]


def predict_alone(predictor, texts):
    """The prediction for each text, in a batch of its own."""
    predictions = []
    for text in texts:
        task = predictor.encode([text])
        task.add(np.array([0]), predictor.run(rows_of(task)))
        predictions += task.predictions()
    return predictions


def measure_runtime(predictor, texts, options):
    """Seconds of the runtime for all texts, in full batches."""
    rows = rows_of(predictor.encode(texts))
    start = time.perf_counter()
    for first in range(0, len(rows), options.batch):
        predictor.run(rows[first : first + options.batch])
    return time.perf_counter() - start


class Server:
    """The server in a process of its own."""

    def __init__(self, options):
        flags = ["--max_batch", str(options.batch), "--port", "0"]
        if options.threads:
            flags += ["--threads", str(options.threads)]
        self.process = subprocess.Popen(
            [sys.executable, "recipes/serve.py", "--model"]
            + [str(Path(options.export).resolve()), *flags]
            + ["--latency_target_ms", "60000"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()

    def measure(self, texts, expected, options):
        """Seconds for all texts, one for each request; checks the answers."""
        found = [None] * len(texts)
        following = iter(range(len(texts)))
        lock = threading.Lock()

        def client():
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            while True:
                with lock:
                    number = next(following, None)
                if number is None:
                    return connection.close()
                body = json.dumps({"texts": [texts[number]]})
                connection.request("POST", "/predict", body)
                response = connection.getresponse()
                values = json.loads(response.read())
                if response.status != 200:
                    raise SystemExit(f"{response.status}: {values}")
                (found[number],) = values["predictions"]

        clients = [
            threading.Thread(target=client) for _ in range(options.clients)
        ]
        start = time.perf_counter()
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        seconds = time.perf_counter() - start
        wrong = sum(
            not alike(a, b) for a, b in zip(found, expected, strict=True)
        )
        if wrong:
            raise SystemExit(f"{wrong} of {len(texts)} answers are wrong.")
        return seconds

    def mean_batch(self):
        """Mean number of rows of the batches."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        values = dict(line.split(" ") for line in lines if line[0] != "#")
        name = "albert_batch_rows"
        return float(values[f"{name}_sum"]) / float(values[f"{name}_count"])


def alike(found, expected):
    """Whether two predictions are equal, numbers up to rounding."""
    if isinstance(expected, dict) and isinstance(found, dict):
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(alike, found, expected))
    if isinstance(expected, float):
        return abs(found - expected) <= 1e-2
    return found == expected


def report(options, alone, served, batch):
    per_second = [
        options.requests / statistics.median(seconds)
        for seconds in (alone, served)
    ]
    share = per_second[1] / per_second[0]
    print(f"runtime alone, batches of {options.batch}: {per_second[0]:.1f}/s")
    print(f"server, {options.clients} clients:  {per_second[1]:.1f}/s")
    print(
        f"share {share:.0%}, batches of {batch:.1f} rows; no answer was lost "
        "or swapped."
    )
    results = {
        "requests": options.requests,
        "clients": options.clients,
        "runtime_seconds": alone,
        "server_seconds": served,
        "share": share,
        "is_enough": share >= SHARE,
        "mean_batch": batch,
    }
    return record_of(results, options.json)


if __name__ == "__main__":
    main()
