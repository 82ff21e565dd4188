"""Measures which share of pretraining could be spent waiting for data.

    python benchmarks/waiting.py --data_dir corpus --size base --json w.json

Trains with `model.fit` on a store of `recipes/prepare_corpus.py` and counts the
seconds that the dataset takes to make batches. Their share of the time is an
upper bound of the waiting, because TensorFlow and JAX make batches ahead while
updates run. The first updates, which compile, are excluded. The faster an
update, the larger the share: `--seconds` computes it for another machine's
seconds per update.
"""

import argparse
import time
from pathlib import Path

import keras
from rounds import record_of

import albert_keras as ak


def main(argv=None):
    options = parse(argv)
    dataset = TimedDataset(
        options.data_dir,
        sequence_length=options.length,
        batch_size=options.rows,
    )
    clock = Clock(dataset, options.warm_up)
    backbone = ak.AlbertBackbone.from_size(
        options.size,
        vocabulary_size=dataset.store.vocabulary_size,
        dtype=options.policy,
    )
    model = ak.AlbertForPretraining(backbone)
    model.compile(ak.optimizers.Lamb(1e-4, global_clipnorm=1.0))
    model.fit(
        dataset,
        steps_per_epoch=options.warm_up + options.updates,
        shuffle=False,
        verbose=0,
        callbacks=[clock],
    )
    return report(options, clock)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", required=True, help="a prepared corpus")
    parser.add_argument("--size", default="base")
    parser.add_argument("--policy", default="float32", help="dtype policy")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--warm_up", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, help="seconds per update on another machine"
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args(argv)


class TimedDataset(ak.data.PretrainingDataset):
    """Counts batches and the seconds spent making them."""

    seconds, batches = 0.0, 0

    def __getitem__(self, index):
        start = time.perf_counter()
        batch = super().__getitem__(index)
        self.seconds += time.perf_counter() - start
        self.batches += 1
        return batch


class Clock(keras.callbacks.Callback):
    """Records when the updates after the first ones start and end."""

    def __init__(self, dataset, warm_up):
        super().__init__()
        self.dataset, self.warm_up = dataset, warm_up

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter(), self.dataset.seconds, self.dataset.batches
        if batch + 1 == self.warm_up:
            self.start = now
        self.end, self.updates = now, batch + 1 - self.warm_up

    def figures(self):
        seconds, making, batches = (
            end - start for start, end in zip(self.start, self.end, strict=True)
        )
        return seconds / self.updates, making / batches


def report(options, clock):
    update, batch = clock.figures()
    results = {
        "update_seconds": update,
        "batch_seconds": batch,
        "share": batch / update,
    }
    tokens = options.rows * options.length
    print(
        f"{options.size}, {options.policy}, {options.rows} x {options.length}: "
        f"{update:.3f} s per update, {batch * 1000:.2f} ms per batch "
        f"({tokens / batch:,.0f} tokens/s): waiting takes at most "
        f"{batch / update:.2%}"
    )
    if options.seconds:
        results["share_elsewhere"] = batch / options.seconds
        print(
            f"At {options.seconds} s per update: {batch / options.seconds:.2%}"
        )
    names = ("size", "policy", "length", "rows", "updates")
    fields = {name: getattr(options, name) for name in names}
    return record_of(results, options.json, **fields)


if __name__ == "__main__":
    main()
