"""Compares the inference speed of question answering at SQuAD's lengths.

    python benchmarks/inference.py --data_file dev-v2.0.json \
        --vocabulary 30k-clean.model \
        --peer_python .venv-parity/bin/python --json inference.json

The lengths are those of windows spread over the file, at most
`--max_seq_length` tokens. Every contestant computes NumPy arrays for all
windows, in batches of `--batch_size`. This package groups windows of similar
length, as its recipes do; the others take them in the file's order and pad
them by `--peer_padding`: to the longest of a batch, or all to the maximum,
which is the default of Hugging Face's run_qa.py and the only way of KerasHub's
preprocessors. Contestants take turns; results are medians of the rounds after
a first run, which compiles.
"""

import argparse
from pathlib import Path

from rounds import by_turns, record_of, start

import albert_keras as ak
from albert_keras.data.tasks.squad import read_squad
from albert_keras.data.tasks.squad_windows import SquadWindows


def main(argv=None):
    options = parse(argv)
    lengths = window_lengths(options)
    results = []
    for precision in options.precisions:
        results += measure(options, precision, lengths)
    return record_of(
        results,
        options.json,
        windows=len(lengths),
        peer_padding=options.peer_padding,
    )


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_file", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--size", default="base")
    parser.add_argument("--windows", type=int, default=128)
    parser.add_argument("--max_seq_length", type=int, default=384)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument(
        "--peer_padding",
        choices=["longest", "max_length"],
        default="longest",
        help="length to which the others pad a batch (default: %(default)s)",
    )
    parser.add_argument(
        "--precisions", nargs="+", default=["float32", "bfloat16"]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--peer_python", help="Python of an environment with PyTorch"
    )
    parser.add_argument("--only", nargs="+", help="contestants to run")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args(argv)


def window_lengths(options):
    """Lengths of windows spread evenly over the file."""
    windows = SquadWindows(
        read_squad(options.data_file),
        ak.AlbertTokenizer(options.vocabulary),
        sequence_length=options.max_seq_length,
    )
    step = max(1, len(windows) // options.windows)
    return [int(n) for n in windows.lengths[::step][: options.windows]]


def measure(options, precision, lengths):
    config = ak.AlbertConfig.from_size(options.size)
    task = {
        "size": options.size,
        "precision": precision,
        "rows": options.batch_size,
        "lengths": lengths,
        "width": {"longest": None, "max_length": options.max_seq_length}[
            options.peer_padding
        ],
        **config.to_dict(),
    }
    contestants = start("inference", task, options.peer_python, options.only)
    results = by_turns(contestants, options.rounds, 1)
    print(
        f"\n{options.size}, {precision}: {len(lengths)} windows, "
        f"{sum(lengths) / len(lengths):.0f} tokens on average"
    )
    first = results[0]
    for result in results:
        seconds = result["median_seconds"]
        result["tokens_per_second"] = sum(lengths) / seconds
        result.update(
            size=options.size,
            precision=precision,
            shape=f"squad, {options.peer_padding}",
        )
        print(
            f"{result['contestant']:28}{len(lengths) / seconds:8.1f} windows/s"
            f"{result['first_seconds']:7.1f}s first"
            f"{result['peak_gigabytes']:6.2f} GB"
            f"   {first['contestant']} is "
            f"{seconds / first['median_seconds']:.2f} times as fast"
        )
    return results


if __name__ == "__main__":
    main()
