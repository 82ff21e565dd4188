"""Shows statistics, a histogram and samples of a prepared corpus.

    python recipes/inspect_corpus.py --data_dir corpus --max_seq_length 128

Prints statistics of text, vocabulary and batches, plots the lengths, and prints
rows as the model receives them, with the order of their segments. On a terminal
the first segment is blue and the second green. Of the tokens to predict, [MASK]
is red and followed by the original token, random tokens are yellow, and kept
ones underlined. Takes some seconds.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np

from albert_keras.data import PretrainingDataset, TokenStore
from albert_keras.data.pretraining.google_records import unmasked
from albert_keras.reporting.corpus_histogram import plot_lengths
from albert_keras.tokenization.sentencepiece_encoder import SPACE_SYMBOL
from albert_keras.workflows.settings.parse_settings import run_recipe

COLORS = {
    "first": "\x1b[34m",
    "second": "\x1b[32m",
    "special": "\x1b[2m",
    "mask": "\x1b[31;1m",
    "random": "\x1b[33;1m",
    "kept": "\x1b[4m",
}
PLAIN = "\x1b[0m"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Shows statistics, a histogram and samples of a prepared corpus."""

    data_dir: str
    """Corpus made by prepare_corpus.py."""

    max_seq_length: int = 128
    """Sequence length in tokens."""

    short_seq_prob: float = 0.1
    """Probability of a shorter sequence."""

    split: str = "train"
    """"train", "validation" or "all"."""

    seed: int = 42
    """Seed of the batches."""

    samples: int = 3
    """Number of rows to print."""

    batches: int = 50
    """Number of batches of 32 rows for the statistics."""

    figure: str | None = None
    """File of the histogram; by default lengths.png in the corpus."""

    verify: bool = False
    """Read all files and verify their checksums."""

    colour: bool | None = None
    """Print in color; by default on a terminal."""


def main(argv=None):
    return run_recipe("inspect_corpus", inspect, Settings, argv)


def inspect(settings):
    """Prints statistics and samples, and plots the histogram."""
    store = TokenStore(settings.data_dir)
    if settings.verify:
        store.verify()
        print("All checksums match.")
    dataset = PretrainingDataset(
        store,
        settings.max_seq_length,
        batch_size=32,
        min_batch_size=1,
        split=settings.split,
        short_sequence_prob=settings.short_seq_prob,
        seed=settings.seed,
    )
    show_text(store)
    show_batches(dataset, settings.batches)
    path = settings.figure or Path(settings.data_dir) / "lengths.png"
    figure = plot_lengths(
        store, dataset.sequences, settings.max_seq_length, path
    )
    print(f"Histogram: {figure}.\n")
    color = settings.colour
    if color is None:
        color = sys.stdout.isatty()
    batch = dataset[0]
    for row in range(min(settings.samples, dataset.batch_size)):
        print(sample(batch, row, store.tokenizer, color) + "\n")


def show_text(store):
    """Prints statistics of the text and the vocabulary."""
    manifest = store.manifest
    report = manifest["report"]
    tokens, sentences = manifest["num_tokens"], manifest["num_sentences"]
    size = sum(file["bytes"] for file in manifest["files"].values())
    print(
        f"{store.directory}: {manifest['num_documents']:,} documents, "
        f"{sentences:,} sentences, {tokens:,} tokens; "
        f"{tokens / sentences:.1f} tokens per sentence, "
        f"{tokens / manifest['num_documents']:.0f} per document; "
        f"{size / tokens:.2f} bytes per token.\n"
        f"Vocabulary: {manifest['vocabulary_size']:,} pieces, "
        f"{manifest['unused_pieces']:,} unused, "
        f"{tokens / max(report['words'], 1):.2f} pieces per word, "
        f"{manifest['unknown_rate']:.3%} unknown, unigram entropy "
        f"{store.unigram_entropy:.2f} nats."
    )
    for split in ("train", "validation"):
        documents = store.documents(split)
        print(f"{split}: {len(documents):,} documents.")


def show_batches(dataset, count):
    """Prints shares to compare with ALBERT's: 15%, 80/10/10, half."""
    text = rows = predicted = swapped = masked = kept = 0
    mask_id = dataset.store.tokenizer.mask_id
    for step in range(count):
        inputs, labels, weights = dataset[step]
        real = weights["mlm"] > 0
        after = np.take_along_axis(
            inputs["token_ids"], inputs["mask_positions"], axis=1
        )[real]
        rows += len(real)
        text += inputs["padding_mask"].sum() - 3 * len(real)
        predicted += real.sum()
        masked += (after == mask_id).sum()
        kept += (after == labels["mlm"][real]).sum()
        swapped += labels["sop"].sum()
    width = dataset.sequence_length
    print(
        f"{count} batches of {dataset.batch_size} x {width}: "
        f"{(text + 3 * rows) / (rows * width):.1%} not padding; "
        f"{predicted / text:.1%} of the text predicted "
        f"({masked / predicted:.1%} [MASK], {kept / predicted:.1%} kept); "
        f"{swapped / rows:.1%} of the pairs swapped. A pass over the text "
        f"takes {dataset.steps_per_pass:,.1f} batches."
    )


def sample(batch, row, tokenizer, color):
    """A row as text, with its masks."""
    inputs, labels, weights = batch
    original = unmasked(inputs, labels, weights)[row]
    ids = inputs["token_ids"][row]
    real = weights["mlm"][row] > 0
    predicted = set(inputs["mask_positions"][row][real].tolist())
    special = {tokenizer.cls_id, tokenizer.sep_id}
    parts = []
    for place in range(int(inputs["padding_mask"][row].sum())):
        segment = "second" if inputs["segment_ids"][row, place] else "first"
        style = "special" if original[place] in special else segment
        text = shown(tokenizer, ids[place])
        if place in predicted:
            before = shown(tokenizer, original[place])
            style = "random"
            if ids[place] == tokenizer.mask_id:
                style = "mask"
                text = f"{' ' * before.startswith(' ')}[MASK:{before.strip()}]"
            elif ids[place] == original[place]:
                style = "kept"
                text = text if color else f"{text}[kept]"
            else:
                text = f"{text}[was:{before.strip()}]"
        elif style == "special":
            text = f" {text} "
        parts.append(f"{COLORS[style]}{text}{PLAIN}" if color else text)
    order = "swapped" if labels["sop"][row] else "in order"
    return f"({order})" + "".join(parts)


def shown(tokenizer, token_id):
    return tokenizer.id_to_piece(token_id).replace(SPACE_SYMBOL, " ")


if __name__ == "__main__":
    main()
