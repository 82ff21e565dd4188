"""Measures the time of SQuAD's features, evaluation and training.

    python benchmarks/squad.py --data_file dev-v2.0.json \
        --vocabulary 30k-clean.model --size base --questions 1000

Prints the seconds for making the features (reading, encoding and cutting into
windows, without a cache); for an evaluation with decoding and scoring, with
batches padded to their longest row and with all rows padded to the full
length; and for a training pass; and the process's peak memory after each. The
first batches of each kind run once before, to compile. Weights are random: the
times do not depend on them.
"""

import argparse
import dataclasses
import json
import resource
import time
from pathlib import Path

import albert_keras as ak
from albert_keras.data.tasks.example_batches import TrainingBatches
from albert_keras.data.tasks.squad import read_squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.evaluation.squad_evaluation import SquadEvaluation
from albert_keras.optimizers import adamw


def main(argv=None):
    options = parse(argv)
    tokenizer = ak.AlbertTokenizer(options.vocabulary)
    results = []
    windows = measure(
        results, "features", lambda: make_windows(options, tokenizer)
    )
    model = ak.AlbertForQuestionAnswering(
        ak.AlbertBackbone.from_size(options.size, dtype=options.precision)
    )
    warm_up(model, windows, options)
    print(
        f"{options.size}, {options.precision}: {len(windows.squad.questions)} "
        f"questions, {len(windows)} windows of up to "
        f"{options.max_seq_length} tokens, {windows.lengths.mean():.0f} on "
        "average."
    )
    kinds = {
        "evaluation, padded to the longest": None,
        "evaluation, padded to the full length": options.max_seq_length,
    }
    for name, multiple in kinds.items():
        evaluation = SquadEvaluation(
            windows, options.batch_size, padding_multiple=multiple
        )
        measure(results, name, lambda e=evaluation: e(model))
    measure(results, "training pass", training_pass(options, model, windows))
    if options.json:
        record = {**vars(options), "windows": len(windows), "results": results}
        Path(options.json).write_text(json.dumps(record, indent=2) + "\n")
    return results


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_file", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--size", default="base")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--max_seq_length", type=int, default=384)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--json", help="file for the results")
    return parser.parse_args(argv)


def make_windows(options, tokenizer):
    """Makes the windows of the file's first questions."""
    squad = read_squad(options.data_file)
    questions = squad.questions[: options.questions]
    last = questions[-1].paragraph
    squad = dataclasses.replace(
        squad, questions=questions, paragraphs=squad.paragraphs[: last + 1]
    )
    return SquadWindows(squad, tokenizer, options.max_seq_length, training=True)


def warm_up(model, windows, options):
    """Compiles for any batch shape, as TensorFlow does after two shapes."""
    for rows in (1, 2):
        width = options.max_seq_length - rows
        shortest = windows.lengths.argsort()[:rows]
        model.predict_on_batch(windows.batch(shortest, width)[0])


def training_pass(options, model, windows):
    """Makes a function that trains on every window once."""
    model.compile(adamw(model.trainable_variables, 1e-5))
    batches = TrainingBatches(windows, options.batch_size, group_by_length=True)

    def fit(steps):
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    fit(1)
    return lambda: fit(len(windows) // options.batch_size)


def measure(results, name, function):
    start = time.perf_counter()
    value = function()
    row = {
        "what": name,
        "seconds": time.perf_counter() - start,
        "peak_megabytes": peak_megabytes(),
    }
    results.append(row)
    share = results[0]["seconds"] / row["seconds"]
    print(
        f"{name:40} {row['seconds']:8.2f} s  features are {share:7.2%} of it  "
        f"peak {row['peak_megabytes']:6.0f} MB",
        flush=True,
    )
    return value


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
