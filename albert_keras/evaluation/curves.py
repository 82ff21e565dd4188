"""A figure of a run's curves."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)


@dataclasses.dataclass(frozen=True)
class Panel:
    """One diagram: a metric of training and of validation against updates.

    Attributes:
        title: Above it.
        metric: Name in `metrics.csv`; with `val_` before it, of validation.
        levels: Dashed lines by their labels, to compare with.
    """

    title: str
    metric: str
    levels: Mapping[str, float] = dataclasses.field(default_factory=dict)


def pretraining_panels(unigram_entropy=None):
    """Loss, accuracies and learning rate of a pretraining run.

    Args:
        unigram_entropy: Drawn as a line beside the losses, if given.
    """
    levels = {}
    if unigram_entropy is not None:
        levels["unigram entropy"] = unigram_entropy
    return (
        Panel("Masked-LM loss (nats)", "mlm_loss", levels),
        Panel("Masked-LM accuracy", "mlm_accuracy"),
        Panel("Sentence-order accuracy", "sop_accuracy", {"chance": 0.5}),
        Panel("Learning rate", "learning_rate"),
    )


def plot_curves(run_directory, panels, path=None):
    """Draws metrics against updates.

    Args:
        run_directory: Directory with a `metrics.csv`.
        panels: `Panel`s, drawn two in a row.
        path: PNG to write; None means `curves.png` in the directory.

    Returns:
        The path of the figure.
    """
    # Only here: importing it takes a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_metrics(Path(run_directory) / METRICS_FILE)
    lines = -(-len(panels) // 2)
    figure = Figure(figsize=(11, 4 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, 2, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _draw(axis, panel, rows)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    path = Path(path or Path(run_directory) / "curves.png")
    figure.savefig(path, dpi=110)
    return path


def _draw(axis, panel, rows):
    for prefix, label in (("", "training"), ("val_", "validation")):
        points = [
            (row["step"], row[prefix + panel.metric])
            for row in rows
            if prefix + panel.metric in row
        ]
        if points:
            marker = {"marker": "o", "markersize": 3} if prefix else {}
            axis.plot(*zip(*points, strict=True), label=label, **marker)
    for label, level in panel.levels.items():
        axis.axhline(level, ls="--", c="gray", label=label)
    axis.set_title(panel.title)
    axis.set_xlabel("updates")
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:  # not of what is skipped
        axis.legend()
