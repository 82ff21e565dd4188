"""Compares the speeds of two runs of a benchmark.

    python benchmarks/compare.py before.json after.json

Reads the JSON of pretraining_step.py and inference.py. Exits with status 1 if
a contestant has lost more than `--tolerance` of its speed. Compare runs on
the same machine, and look at the other contestants first: if they have lost
as much, the machine was slower.
"""

import argparse
import json
import sys
from pathlib import Path

KEYS = ("contestant", "size", "precision", "shape")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--tolerance", type=float, default=0.1)
    options = parser.parse_args(argv)
    before, after = read(options.before), read(options.after)
    shared = [key for key in before if key in after]
    if not shared:
        raise SystemExit(
            f"{options.before} and {options.after} have no measurement in "
            "common."
        )
    has_regression = False
    for key in shared:
        ratio = after[key] / before[key]
        is_slower = ratio < 1 - options.tolerance
        has_regression = has_regression or is_slower
        print(
            f"{', '.join(key):56}{before[key]:10,.0f} ->{after[key]:10,.0f} "
            f"tokens/s{ratio:7.2f}{'  SLOWER' if is_slower else ''}"
        )
    return int(has_regression)


def read(path):
    """Reads tokens per second by contestant, size, precision and shape."""
    try:
        results = json.loads(path.read_text())["results"]
        return {
            tuple(str(result[key]) for key in KEYS): result["tokens_per_second"]
            for result in results
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(
            f"{path} is not the JSON of a benchmark that counts tokens: "
            f"{type(error).__name__}: {error}"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
