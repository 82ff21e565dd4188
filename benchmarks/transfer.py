"""Measures what pretraining is worth: accuracy with few labels.

    python recipes/collect_python_docs.py --output_file demo/python_docs.txt \
        --labelled_file demo/labelled.csv
    python benchmarks/transfer.py --texts demo/labelled.csv \
        --pretrained demo/run --json transfer.json

Classifies texts of a CSV file (`text`, `label`) with 10, 40 and 160 labels a
class. The texts to test are the same everywhere; seeds draw the labelled ones.
Contestants:

- TF-IDF: logistic regression on words and pairs of words (scikit-learn).
- scratch: the model of the first pretrained directory with random weights.
- each pretrained directory, fine-tuned.
- each pretrained directory, frozen: logistic regression on the mean of its
  last layer over the tokens.

Every contestant sees the same part of a text: its first `--max_seq_length`
tokens. Fine-tuning is AdamW with warm-up and linear decay, `--updates` of 32
texts. Every contestant tries the same learning rates (or strengths of the
penalty) with the first seed, on four fifths of the labelled texts, takes the
best by accuracy on the last fifth, and trains on all of them with every seed.
The texts must not be part of the pretraining text.

Prints mean and standard deviation over the seeds. `--json` records each score,
and the minutes of pretraining that metrics.csv tells.
"""

import argparse
import csv
import functools
import json
import statistics
from pathlib import Path

import keras
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

import albert_keras as ak
from albert_keras.optimizers import adamw
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)

TEST_TEXTS = 150  # of each class
FROZEN = ", frozen"
BATCH = 32
RATES = (1e-3, 4e-3)
PENALTIES = (1.0, 100.0)  # inverse strengths of logistic regression


def main(argv=None):
    options = parse(argv)
    texts, labels, names = read_texts(options.texts)
    contestants = make_contestants(options, texts, len(names))
    results = []
    for per_class in options.labels_per_class:
        splits = [split(labels, per_class, s) for s in range(options.seeds)]
        progress = tqdm(contestants.items(), f"{per_class} labels", leave=False)
        for name, (settings, fit) in progress:
            scores = run(settings, fit, labels, splits)
            results += [
                (name, per_class, seed, score)
                for seed, score in enumerate(scores)
            ]
        report(results, per_class, contestants, len(names))
        if options.json:
            write_record(options, results, names)
    return results


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--pretrained", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--labels_per_class", type=int, nargs="+", default=[10, 40, 160]
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max_seq_length", type=int, default=64)
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--only", nargs="+", help="contestants to run")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(argv)


def read_texts(path):
    """Reads the texts, their labels as numbers, and the labels' names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or {"text", "label"} - set(rows[0]):
        raise SystemExit(f"{path} needs the columns text and label, and rows.")
    names = sorted({row["label"] for row in rows})
    labels = np.array([names.index(row["label"]) for row in rows])
    return [row["text"] for row in rows], labels, names


def split(labels, per_class, seed):
    """Returns the rows to train on, and to test on; the latter never change."""
    train, test = [], []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = np.random.default_rng(int(label)).permutation(rows)
        test.append(rows[:TEST_TEXTS])
        rest = np.random.default_rng(seed).permutation(rows[TEST_TEXTS:])
        if len(rest) < per_class:
            raise SystemExit(
                f"{per_class} labelled texts of each class need "
                f"{TEST_TEXTS + per_class} texts of it. Found: {len(rows)}."
            )
        train.append(rest[:per_class])
    return np.concatenate(train), np.concatenate(test)


# === Contestants ===


def make_contestants(options, texts, num_classes):
    """Returns (settings to try, fit) by name; `run` says what fit does."""
    contestants = {}
    for number, path in enumerate(options.pretrained):
        name = str(path)
        inputs, seen = encode(path, texts, options.max_seq_length)
        arguments = (options, path, inputs, num_classes)
        if number == 0:
            contestants["TF-IDF"] = PENALTIES, tfidf(seen)
            contestants["scratch"] = (
                options.rates,
                fine_tuning(*arguments, scratch=True),
            )
        contestants[name] = options.rates, fine_tuning(*arguments)
        contestants[name + FROZEN] = PENALTIES, frozen(path, inputs)
    if options.only:
        contestants = {name: contestants[name] for name in options.only}
    return contestants


def encode(path, texts, length):
    """Returns the inputs of the model, and the part of the texts in them."""
    tokenizer = ak.AlbertTokenizer.from_pretrained(path)
    inputs = tokenizer(texts, sequence_length=length)
    sizes = inputs["padding_mask"].sum(-1)
    seen = [
        tokenizer.decode(row[1 : size - 1].tolist())
        for row, size in zip(inputs["token_ids"], sizes, strict=True)
    ]
    return inputs, np.array(seen, dtype=object)


def run(settings, fit, labels, splits):
    """Returns the accuracy of a contestant on each split.

    Args:
        settings: Learning rates, or strengths of the penalty.
        fit: (setting, rows, labels, seed) -> a function from rows to
            predictions.
        labels: Label of each text.
        splits: Rows to train on and to test on, for each seed.
    """
    chosen = settings[0]
    if len(settings) > 1:
        chosen = best_setting(settings, fit, labels, splits[0][0])
    return [
        float(np.mean(fit(chosen, train, labels, seed)(test) == labels[test]))
        for seed, (train, test) in enumerate(splits)
    ]


def best_setting(settings, fit, labels, train):
    """Returns the best setting by accuracy on a fifth of the rows."""
    order = np.random.default_rng(0).permutation(train)
    held_out, rest = np.split(order, [len(order) // 5])
    return max(
        settings,
        key=lambda setting: np.mean(
            fit(setting, rest, labels, 0)(held_out) == labels[held_out]
        ),
    )


def tfidf(texts):
    def fit(penalty, rows, labels, seed):
        model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            LogisticRegression(C=penalty, max_iter=1000),
        )
        model.fit(texts[rows], labels[rows])
        return lambda rows: model.predict(texts[rows])

    return fit


def frozen(path, inputs):
    """Logistic regression on the mean of the last layer over the tokens."""

    @functools.cache
    def features():
        outputs = ak.AlbertBackbone.from_pretrained(path).predict(
            inputs, batch_size=256, verbose=0
        )
        mask = inputs["padding_mask"][..., None]
        mean = (outputs["sequence_output"] * mask).sum(1) / mask.sum(1)
        return (mean - mean.mean(0)) / (mean.std(0) + 1e-6)

    def fit(penalty, rows, labels, seed):
        model = LogisticRegression(C=penalty / 100, max_iter=1000)
        model.fit(features()[rows], labels[rows])
        return lambda rows: model.predict(features()[rows])

    return fit


def fine_tuning(options, path, inputs, num_classes, scratch=False):
    """Fits one compiled model again and again, from new weights each time."""

    def make_model():
        model = ak.AlbertForSequenceClassification.from_pretrained(
            path, num_classes=num_classes
        )
        if scratch:
            backbone = ak.AlbertBackbone.from_albert_config(model.config)
            model = type(model)(backbone, num_classes=num_classes)
        return model

    @functools.cache
    def compiled():
        model = make_model()
        model.compile(adamw(model.trainable_variables, 0.0))
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(rate, rows, labels, seed):
        keras.utils.set_random_seed(seed)
        model = compiled()
        model.set_weights(make_model().get_weights())
        for variable in model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        train(model, inputs, labels, rows, rate, options.updates, seed)
        return lambda rows: predict(model, inputs, rows)

    return fit


def train(model, inputs, labels, rows, rate, updates, seed):
    schedule = ak.optimizers.WarmupPolynomialDecay(
        peak_learning_rate=rate, warmup_steps=updates // 10, total_steps=updates
    )
    rates = [float(schedule(step)) for step in range(updates)]

    def set_rate(batch, logs=None):
        model.optimizer.learning_rate = rates[batch]

    rng = np.random.default_rng(seed)
    passes = -(-updates * BATCH // len(rows))
    order = np.concatenate([rng.permutation(rows) for _ in range(passes)])
    order = order[: updates * BATCH]
    model.fit(
        {name: array[order] for name, array in inputs.items()},
        labels[order],
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_train_batch_begin=set_rate)
        ],
    )


def predict(model, inputs, rows):
    batch = {name: array[rows] for name, array in inputs.items()}
    outputs = model.predict(batch, batch_size=256, verbose=0)
    return outputs["logits"].argmax(-1)


# === Results ===


def report(results, per_class, contestants, num_classes):
    """Prints the table, and what pretraining was worth."""
    print(f"\n{per_class} labels for each of {num_classes} classes: accuracy")
    means = {}
    for name in contestants:
        scores = [r[3] for r in results if r[:2] == (name, per_class)]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        means[name] = statistics.mean(scores)
        print(f"{name:40}{means[name]:8.3f} +-{spread:6.3f}")
    others = [n for n in ("scratch", "TF-IDF") if n in means]
    for name in [n for n in means if n not in others]:
        if others and not name.endswith(FROZEN):
            gains = (f"{means[name] - means[o]:+.3f} to {o}" for o in others)
            print(f"Pretraining of {name} is worth {', '.join(gains)}.")


def write_record(options, results, names):
    record = {
        "classes": names,
        "minutes": {str(path): minutes(path) for path in options.pretrained},
        "updates": options.updates,
        "max_seq_length": options.max_seq_length,
        "results": [
            dict(
                zip(
                    ("contestant", "labels_per_class", "seed", "accuracy"),
                    result,
                    strict=True,
                )
            )
            for result in results
        ],
    }
    options.json.write_text(json.dumps(record, indent=2) + "\n")


def minutes(path):
    """Minutes of training of a run's directory; None if it has no log."""
    log = path / METRICS_FILE
    if not log.is_file():
        return None
    rows = [row for row in read_metrics(log) if "updates_per_second" in row]
    steps = [0, *(row["step"] for row in rows)]
    seconds = sum(
        (after - before) / row["updates_per_second"]
        for before, after, row in zip(steps, steps[1:], rows, strict=False)
    )
    return seconds / 60


if __name__ == "__main__":
    main()
