"""Draws the confusion matrix and the calibration curve of a classifier."""

import warnings
from pathlib import Path

import numpy as np

from albert_keras.files.atomic_write import atomic_file
from albert_keras.problems import MULTI_LABEL, REGRESSION
from albert_keras.reporting.curves import COLORS, new_figure

CONFUSION_FILE = "confusion_matrix.png"
CALIBRATION_FILE = "calibration.png"
SCATTER_FILE = "predictions.png"
FIGURES = (CONFUSION_FILE, CALIBRATION_FILE, SCATTER_FILE)
_BINS = 10
_MAX_NUMBERED = 20  # classes, for numbers in the cells of the matrix
_MAX_NAME = 24  # characters of a class in a figure


def draw_classification(
    directory: str | Path,
    problem: str,
    labels: np.ndarray,
    predictions: np.ndarray,
    probabilities: np.ndarray | None,
    class_names: tuple[str, ...] = (),
) -> list[Path]:
    """Draws the figures of a problem as PNG files; returns their paths.

    "single_label": the confusion matrix, and the calibration of the predicted
    class. "multi_label": the calibration of all decisions. "regression": the
    predictions against the labels.

    Args:
        directory: Directory of the files.
        problem: One of `albert_keras.problems.PROBLEMS`.
        labels: See `classification_metrics`.
        predictions, probabilities: See `decode_logits`.
        class_names: Names of the classes.
    """
    directory = Path(directory)
    if problem == REGRESSION:
        return [_draw_scatter(directory / SCATTER_FILE, labels, predictions)]
    assert probabilities is not None
    if problem == MULTI_LABEL:
        known = ~np.isnan(labels)
        right, shown = labels[known], probabilities[known]
        return [_draw_calibration(directory / CALIBRATION_FILE, right, shown)]
    return [
        _draw_confusion(
            directory / CONFUSION_FILE, labels, predictions, class_names
        ),
        _draw_calibration(
            directory / CALIBRATION_FILE,
            labels == predictions,
            probabilities.max(axis=1),
        ),
    ]


def _draw_confusion(path, labels, predictions, class_names):
    from sklearn.metrics import confusion_matrix

    count = len(class_names)
    counts = confusion_matrix(labels, predictions, labels=np.arange(count))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(3 + 0.45 * count, 24)
    figure = new_figure(size + 1, size)
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the label's rows")
    names = [name[:_MAX_NAME] for name in class_names]
    axis.set_xticks(range(count), names, rotation=90)
    axis.set_yticks(range(count), names)
    axis.set(xlabel="prediction", ylabel="label")
    if count <= _MAX_NUMBERED:
        for (row, column), number in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axis.text(
                column, row, str(number), color=color, ha="center", va="center"
            )
    return _save(figure, path)


def _draw_calibration(path, right, probabilities):
    from sklearn.calibration import calibration_curve

    shares, means = calibration_curve(
        np.asarray(right, int), probabilities, n_bins=_BINS
    )
    figure = new_figure(5, 5)
    curve, histogram = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    curve.plot([0, 1], [0, 1], ls="--", c="gray", label="calibrated")
    curve.plot(means, shares, marker="o", color=COLORS[0], label="model")
    curve.set(ylabel="share of right ones", ylim=(-0.02, 1.02))
    curve.grid(alpha=0.3)
    curve.legend()
    histogram.hist(probabilities, bins=_BINS, range=(0, 1), color=COLORS[0])
    histogram.set(xlabel="probability", ylabel="count", xlim=(0, 1))
    return _save(figure, path)


def _draw_scatter(path, labels, predictions):
    figure = new_figure(5, 5)
    axis = figure.subplots()
    axis.plot(labels, predictions, ".", color=COLORS[0], alpha=0.5)
    ends = [min(labels.min(), predictions.min()), labels.max()]
    ends[1] = max(ends[1], predictions.max())
    axis.plot(ends, ends, ls="--", c="gray")
    axis.set(xlabel="label", ylabel="prediction")
    axis.grid(alpha=0.3)
    return _save(figure, path)


def _save(figure, path):
    with warnings.catch_warnings(), atomic_file(path, "wb") as file:
        # Names in scripts that matplotlib's font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, format="png", dpi=110)
    return path
