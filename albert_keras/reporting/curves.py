"""Figures of a run's curves."""

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path

from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)

VALIDATION = "val_"
# Okabe and Ito's colours, which everyone tells apart.
COLOURS = (
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
    """One diagram: a metric of training and of validation against updates.

    Attributes:
        title: Above it.
        metric: Name in `metrics.csv`; with `val_` before it, of validation.
        levels: Dashed lines by their labels, to compare with.
    """

    title: str
    metric: str
    levels: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def points(self, rows, prefix=""):
        """Updates and values of training, or of validation with `val_`."""
        name = prefix + self.metric
        return [(row["step"], row[name]) for row in rows if name in row]


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
    rows = read_metrics(Path(run_directory) / METRICS_FILE)
    lines = -(-len(panels) // 2)
    figure = _figure(11, 4 * lines)
    axes = figure.subplots(lines, 2, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _draw(axis, panel, rows)
        axis.set_title(panel.title)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    path = Path(path or Path(run_directory) / "curves.png")
    figure.savefig(path, dpi=110)
    return path


def curves_svg(panel, rows_of_runs):
    """A panel of one run or several, without title and legend.

    Training is a thin line, validation a line with dots; each run has its
    colour of `COLOURS`.

    Args:
        panel: A `Panel`.
        rows_of_runs: For each run the rows of its `metrics.csv`.

    Returns:
        The bytes of an SVG file: no text in it comes from a run.
    """
    from matplotlib import rc_context

    # Text as outlines, and the same bytes for the same curves.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": panel.metric}):
        figure = _figure(5.6, 3.2)
        axis = figure.subplots()
        for number, rows in enumerate(rows_of_runs):
            colour = colour_of(number)
            training = panel.points(rows)
            axis.plot(
                *_columns(training),
                color=colour,
                alpha=0.55,
                lw=1.2,
                marker="." if len(training) == 1 else None,  # no line
            )
            validation = panel.points(rows, VALIDATION)
            axis.plot(*_columns(validation), color=colour, marker="o", ms=3.5)
        for level in panel.levels.values():
            axis.axhline(level, ls="--", c="gray", lw=1)
        axis.set_xlabel("updates")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.ticklabel_format(axis="y", useOffset=False)
        axis.grid(alpha=0.3)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def colour_of(number):
    """The colour of a run in a comparison."""
    return COLOURS[number % len(COLOURS)]


def _figure(width, height):
    # Only here: importing it takes a second.
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
    if axis.get_legend_handles_labels()[0]:  # not of what is skipped
        axis.legend()


def _columns(points):
    """Points as two lists, empty ones too."""
    return [list(column) for column in zip(*points, strict=True)] or [[], []]
