"""Compares `classify` on texts with `predict` on ids prepared before.

    python benchmarks/texts.py --vocabulary 30k-clean.model --json texts.json

The texts have random words of the vocabulary, of 4 to 24 words each by
default. Both take turns in one process, after a first round, which compiles;
results are medians of the rounds. `predict` gets the ids of all texts, padded
to the longest, and `classify` the strings. Their probabilities are compared
first, bit by bit. The share of `predict`'s speed must be 0.9 or more.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from rounds import record_of

import albert_keras as ak
from albert_keras.problems import decode_logits


def main(argv=None):
    options = parse(argv)
    tokenizer = ak.AlbertTokenizer(options.vocabulary)
    backbone = ak.AlbertBackbone.from_size(
        options.size,
        vocabulary_size=tokenizer.vocabulary_size,
        dtype=options.policy,
    )
    model = ak.AlbertForSequenceClassification(backbone, num_classes=3)
    model.preprocessor = tokenizer
    texts = make_texts(tokenizer, options)
    return report(options, *measure(model, texts, options))


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--size", default="base")
    parser.add_argument("--policy", default="float32", help="dtype policy")
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--words", type=int, nargs=2, default=[4, 24])
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args(argv)


def make_texts(tokenizer, options):
    """Texts of random words of the vocabulary."""
    rng = np.random.default_rng(0)
    pieces = map(tokenizer.id_to_piece, range(tokenizer.vocabulary_size))
    words = [piece[1:] for piece in pieces if piece[1:].isalpha()]
    low, high = options.words
    return [
        " ".join(rng.choice(words, rng.integers(low, high + 1)))
        for _ in range(options.texts)
    ]


def measure(model, texts, options):
    """Seconds of each round of both, and whether their bits are the same."""
    ids = model.preprocessor(texts)
    rows = options.batch_size

    def predict():
        return model.predict(ids, batch_size=rows, verbose=0)["logits"]

    def classify():
        return model.classify(texts, batch_size=rows)

    _, p = decode_logits(predict().astype("float32"), model.problem)
    labels = [list(row["probabilities"].values()) for row in classify()]
    seconds = {"predict": [], "classify": []}
    for _ in range(options.rounds):
        for function in (predict, classify):
            start = time.perf_counter()
            function()
            seconds[function.__name__].append(time.perf_counter() - start)
    return seconds, bool((np.array(labels) == p).all())


def report(options, seconds, is_same):
    medians = {name: statistics.median(s) for name, s in seconds.items()}
    share = medians["predict"] / medians["classify"]
    for name, median in medians.items():
        print(f"{name:10}{options.texts / median:10.1f} texts/s")
    print(
        f"classify has {share:.0%} of the speed of predict; the bits are "
        f"{'the same' if is_same else 'NOT the same'}."
    )
    results = {
        "size": options.size,
        "policy": options.policy,
        "texts": options.texts,
        "seconds": seconds,
        "share": share,
        "same_bits": is_same,
    }
    return record_of(results, options.json)


if __name__ == "__main__":
    main()
