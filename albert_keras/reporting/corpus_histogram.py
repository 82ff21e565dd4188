"""Draws the lengths of a corpus's sentences, documents and sequences."""

from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.files.atomic_write import atomic_file


def plot_lengths(
    store: Any, sequences: Any, sequence_length: int, path: str | Path
) -> Path:
    """Draws histograms of lengths in tokens.

    Args:
        store: A `TokenStore`.
        sequences: `Sequences` of the store.
        sequence_length: Maximum length of the sequences.
        path: The PNG file to write.

    Returns:
        The path.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    offsets = np.asarray(store.sentence_offsets)
    documents = np.diff(offsets[np.asarray(store.document_offsets)])
    panels = (
        ("tokens per sentence", np.diff(offsets), "log"),
        ("tokens per document", documents, "log"),
        (
            f"tokens per sequence (at most {sequence_length})",
            sequences.length,
            "linear",
        ),
    )
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.2))
    for axis, (label, lengths, scale) in zip(axes, panels, strict=True):
        largest = max(int(lengths.max()), 2)
        bins = (
            np.unique(np.geomspace(1, largest + 1, 40).astype(int))
            if scale == "log"
            else np.linspace(0, sequence_length, 40)
        )
        axis.hist(lengths, bins=bins, color="tab:blue")
        axis.set_xscale(scale)
        axis.set_xlabel(label)
        axis.axvline(np.mean(lengths), color="tab:orange", linestyle="--")
        axis.set_title(f"{len(lengths):,}, mean {np.mean(lengths):.0f}")
    figure.tight_layout()
    path = Path(path)
    with atomic_file(path, "wb") as file:
        figure.savefig(file, format=path.suffix[1:] or "png", dpi=120)
    pyplot.close(figure)
    return path
