"""Draws the curves of a run's metrics."""

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path

from albert_keras.files.atomic_write import atomic_file
from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)

VALIDATION = "val_"
# Okabe and Ito's colors, which color-blind readers can tell apart, too.
COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
)


@dataclasses.dataclass(frozen=True)
class Panel:
    """One diagram: a metric of training and validation against updates.

    Attributes:
        title: Title of the diagram.
        metric: Column of `metrics.csv`; that of validation has the prefix
            `val_`.
        levels: Values of dashed reference lines, by label.
    """

    title: str
    metric: str
    levels: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def points(self, rows, prefix=""):
        """Updates and values of training, or, with `val_`, of validation."""
        name = prefix + self.metric
        return [(row["step"], row[name]) for row in rows if name in row]


def pretraining_panels(unigram_entropy=None):
    """Panels for loss, accuracies and learning rate of a pretraining run.

    Args:
        unigram_entropy: If given, drawn as a line in the panel of the loss.
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
    """Draws metrics against updates as a PNG file.

    Args:
        run_directory: Directory with a `metrics.csv`.
        panels: `Panel`s, drawn two per row.
        path: File to write; None means `curves.png` in the directory.

    Returns:
        The path of the file.
    """
    rows = read_metrics(Path(run_directory) / METRICS_FILE)
    lines = -(-len(panels) // 2)
    figure = new_figure(11, 4 * lines)
    axes = figure.subplots(lines, 2, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _draw(axis, panel, rows)
        axis.set_title(panel.title)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    path = Path(path or Path(run_directory) / "curves.png")
    with atomic_file(path, "wb") as file:
        figure.savefig(file, format="png", dpi=110)
    return path


def curves_svg(panel, rows_of_runs):
    """Draws a panel of one or several runs as SVG, without title and legend.

    Training is a thin line, validation a line with dots; each run has its own
    color.

    Args:
        panel: A `Panel`.
        rows_of_runs: For each run the rows of its `metrics.csv`.

    Returns:
        The bytes of an SVG file, which contains no text from a run.
    """
    from matplotlib import rc_context

    # Text becomes outlines, and equal curves give equal bytes.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": panel.metric}):
        figure = new_figure(5.6, 3.2)
        axis = figure.subplots()
        for index, rows in enumerate(rows_of_runs):
            color = color_of(index)
            training = panel.points(rows)
            axis.plot(
                *_columns(training),
                color=color,
                alpha=0.55,
                lw=1.2,
                # A single point has no line.
                marker="." if len(training) == 1 else None,
            )
            validation = panel.points(rows, VALIDATION)
            axis.plot(*_columns(validation), color=color, marker="o", ms=3.5)
        for level in panel.levels.values():
            axis.axhline(level, ls="--", c="gray", lw=1)
        axis.set_xlabel("updates")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.ticklabel_format(axis="y", useOffset=False)
        axis.grid(alpha=0.3)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def color_of(index):
    """The color of a run in a comparison, by the run's index."""
    return COLORS[index % len(COLORS)]


def new_figure(width, height):
    """A figure without a window; sizes in inches."""
    # Imported here because it takes a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw(axis, panel, rows):
    for prefix, label in (("", "training"), (VALIDATION, "validation")):
        points = panel.points(rows, prefix)
        if points:
            marker = {"marker": "o", "markersize": 3} if prefix else {}
            axis.plot(*_columns(points), label=label, **marker)
    for label, level in panel.levels.items():
        axis.axhline(level, ls="--", c="gray", label=label)
    axis.set_xlabel("updates")
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:  # else there is nothing to label
        axis.legend()


def _columns(points):
    """Points as two lists; two empty lists if there are none."""
    return [list(column) for column in zip(*points, strict=True)] or [[], []]
