"""Compares a full pretraining update with KerasHub and Hugging Face.

    python benchmarks/pretraining_step.py \
        --peer_python .venv-parity/bin/python --sizes base --json step.json

Forward pass, losses, backward pass, clipping and optimizer, on batches without
padding. Each contestant is a process: this package and KerasHub in the
environment that runs this script, Hugging Face in that of `--peer_python`
(`make test-parity` creates one). Contestants take turns for several rounds;
results are medians. The ceiling is the speed of the update's large matrix
products alone, measured in the same rounds in TensorFlow without XLA. FLOPs
are those of the model (docs/performance.md): work that a contestant avoids
counts as done.

Hugging Face updates with fused AdamW, the others with LAMB. KerasHub has no
sentence-order objective. Hugging Face computes its masked-LM head at every
position.

`--only` selects contestants. It offers one more, this package with
rematerialization:

    python benchmarks/pretraining_step.py --sizes xlarge --rounds 1 --steps 1 \
        --only albert_keras "albert_keras, remat"
"""

import argparse
import sys
from pathlib import Path

from rounds import Contestant, by_turns, record_of, start

from albert_keras import AlbertConfig

SHAPES = ("8x128", "2x512")
EMBEDDING, VOCABULARY = 128, 30000


def main(argv=None):
    options = parse(argv)
    results = []
    for size in options.sizes:
        for precision in options.precisions:
            for shape in options.shapes:
                results += measure(options, size, precision, shape)
    return record_of(results, options.json, rounds=options.rounds)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["small", "base"])
    parser.add_argument(
        "--precisions", nargs="+", default=["float32", "bfloat16"]
    )
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument(
        "--peer_python", help="Python of an environment with PyTorch"
    )
    parser.add_argument("--only", nargs="+", help="contestants to run")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args(argv)


def measure(options, size, precision, shape):
    """Measures every contestant for one size, precision and shape."""
    config = AlbertConfig.from_size(size)
    rows, length = map(int, shape.split("x"))
    task = {
        "size": size,
        "precision": precision,
        "rows": rows,
        "length": length,
        "predictions": min(20, length - 1) if length <= 128 else 76,
        **config.to_dict(),
    }
    contestants = [
        Contestant("products", sys.executable, "ours", "products", task),
        *start("pretraining", task, options.peer_python, options.only),
    ]
    products, *results = by_turns(contestants, options.rounds, options.steps)
    tokens = rows * length
    speed = product_flops(config, tokens) / products["median_seconds"]
    ceiling = speed / training_flops(config, length, task["predictions"])
    print(
        f"\n{size}, {precision}, {rows} x {length}: products "
        f"{speed / 1e9:,.0f} GFLOP/s, enough for {ceiling:,.0f} tokens/s"
    )
    print(f"{'':28}{'tokens/s':>9}{'ceiling':>9}{'first':>8}{'peak':>9}")
    for result in results:
        result["tokens_per_second"] = tokens / result["median_seconds"]
        result["share_of_ceiling"] = result["tokens_per_second"] / ceiling
        result.update(size=size, precision=precision, shape=shape)
        print(
            f"{result['contestant']:28}{result['tokens_per_second']:9,.0f}"
            f"{result['share_of_ceiling']:9.0%}"
            f"{result['first_seconds']:7.1f}s"
            f"{result['peak_gigabytes']:6.2f} GB"
        )
    print_ratio(results)
    return results


def print_ratio(results):
    named = {result["contestant"]: result for result in results}
    ours = named.get("albert_keras")
    peers = [named[n] for n in named if not n.startswith("albert_keras")]
    if ours and peers:
        best = max(peers, key=lambda peer: peer["tokens_per_second"])
        ratio = ours["tokens_per_second"] / best["tokens_per_second"]
        leanest = min(peer["peak_gigabytes"] for peer in peers)
        print(
            f"{ratio:.2f} times {best['contestant']}; "
            f"{ours['peak_gigabytes'] / leanest:.2f} times the memory of the "
            "leanest peer"
        )


def product_flops(config, tokens):
    """FLOPs of the contestant `products`: one layer, forward and backward."""
    hidden, inner = config.hidden_dim, config.intermediate_dim
    return 3 * 2 * tokens * (4 * hidden**2 + 2 * hidden * inner)


def training_flops(config, length, predictions):
    """FLOPs per token: matrix products only, three times the forward pass."""
    hidden, inner = config.hidden_dim, config.intermediate_dim
    block = 8 * hidden**2 + 4 * hidden * inner + 4 * length * hidden
    heads = predictions * 2 * EMBEDDING * (hidden + VOCABULARY)
    heads += 2 * hidden**2 + 4 * hidden
    projection = 2 * EMBEDDING * hidden
    return 3 * (projection + config.num_layers * block + heads / length)


if __name__ == "__main__":
    main()
