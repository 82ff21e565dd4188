"""Figures of a corpus: how long sentences, documents and sequences are."""

from pathlib import Path
from typing import Any

import numpy as np


def plot_lengths(
    store: Any, sequences: Any, sequence_length: int, path: str | Path
) -> Path:
    """Draws histograms of lengths in tokens.

    Args:
        store: A `TokenStore`.
        sequences: `Sequences` of the store.
        sequence_length: Length that they were cut for.
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
        ("tokens in a sentence", np.diff(offsets), True),
        ("tokens in a document", documents, True),
        (f"tokens in a sequence of {sequence_length}", sequences.length, False),
    )
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.2))
    for axis, (title, lengths, is_wide) in zip(axes, panels, strict=True):
        largest = max(int(lengths.max()), 2)
        bins = (
            np.unique(np.geomspace(1, largest + 1, 40).astype(int))
            if is_wide
            else np.linspace(0, sequence_length, 40)
        )
        axis.hist(lengths, bins=bins, color="tab:blue")
        axis.set_xscale("log" if is_wide else "linear")
        axis.set_xlabel(title)
        axis.axvline(np.mean(lengths), color="tab:orange", linestyle="--")
        axis.set_title(f"{len(lengths):,}, mean {np.mean(lengths):.0f}")
    figure.tight_layout()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path
