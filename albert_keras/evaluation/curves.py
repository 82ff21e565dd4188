"""A figure of a run's curves."""

from pathlib import Path

from albert_keras.training.callbacks.training_log import (
    METRICS_FILE,
    read_metrics,
)


def plot_curves(run_directory, path=None, unigram_entropy=None):
    """Draws loss, accuracies and learning rate against updates.

    Args:
        run_directory: Directory with a `metrics.csv`.
        path: PNG to write; None means `curves.png` in the directory.
        unigram_entropy: Drawn as a line beside the losses, if given.

    Returns:
        The path of the figure.
    """
    # Only here: importing it takes a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_metrics(Path(run_directory) / METRICS_FILE)
    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2).ravel()
    panels = (
        ("Masked-LM loss (nats)", "mlm_loss"),
        ("Masked-LM accuracy", "mlm_accuracy"),
        ("Sentence-order accuracy", "sop_accuracy"),
        ("Learning rate", "learning_rate"),
    )
    for axis, (title, name) in zip(axes, panels, strict=True):
        for prefix, label in (("", "training"), ("val_", "validation")):
            points = [
                (row["step"], row[prefix + name])
                for row in rows
                if prefix + name in row
            ]
            if points:
                marker = {"marker": "o", "markersize": 3} if prefix else {}
                axis.plot(*zip(*points, strict=True), label=label, **marker)
        axis.set_title(title)
        axis.set_xlabel("updates")
        axis.grid(alpha=0.3)
    if unigram_entropy is not None:
        axes[0].axhline(
            unigram_entropy, ls="--", c="gray", label="unigram entropy"
        )
    axes[2].axhline(0.5, ls="--", c="gray", label="chance")
    for axis in axes[:3]:
        if axis.get_legend_handles_labels()[0]:  # not of what is skipped
            axis.legend()
    path = Path(path or Path(run_directory) / "curves.png")
    figure.savefig(path, dpi=110)
    return path
