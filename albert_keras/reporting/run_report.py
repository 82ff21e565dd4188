"""Writes an HTML page that shows a run, or compares several."""

import base64
import json
from importlib import resources

from albert_keras.files.atomic_write import atomic_file
from albert_keras.reporting.classification_figures import FIGURES
from albert_keras.reporting.curves import VALIDATION, color_of, curves_svg
from albert_keras.reporting.recorded_run import panels_of, settings_table
from albert_keras.version import __version__

TEMPLATE = "run_report.html"


def write_report(path, runs, unigram_entropy=None, examples=(), notes=()):
    """Writes a self-contained HTML page, without scripts or external files.

    Args:
        path: The file to write.
        runs: One or more `RecordedRun`s.
        unigram_entropy: Unigram entropy of the corpus of all runs; None if
            unknown.
        examples: Pairs of a run and its `HeldOutExample`s.
        notes: Sentences about what could not be shown.

    Returns:
        The path.
    """
    # Imported here because it is an optional dependency.
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(figure=number_text, value=setting_text)
    template = environment.from_string(
        resources.files("albert_keras.reporting")
        .joinpath(TEMPLATE)
        .read_text(encoding="utf-8")
    )
    differing, shared = settings_table(runs)
    panels = panels_of(runs, unigram_entropy)
    page = template.render(
        runs=[(run, color_of(index)) for index, run in enumerate(runs)],
        panels=[(panel, _data_uri(panel, runs)) for panel in panels],
        drawings=[(run, _drawings(run)) for run in runs],
        figures=figures_table(runs, panels),
        examples=examples,
        notes=notes,
        differing=differing,
        shared=shared,
        version=__version__,
    )
    with atomic_file(path, encoding="utf-8") as file:
        file.write(page)
    return path


def figures_table(runs, panels):
    """Returns the main numbers of the runs as rows `(title, cells)`.

    A cell is `(value, remark)`: the last and the best validation value, the
    last training value, or the median throughput.
    """
    rows = [
        (
            "Updates",
            [
                (run.updates, f"of {run.settings['total_steps']:,}")
                if run.settings.get("total_steps")
                else (run.updates, "")
                for run in runs
            ],
        )
    ]
    for panel in panels:
        cells = [_validation_cell(panel, run.rows) for run in runs]
        if any(cells):
            rows.append((f"{panel.title}, validation", cells))
    for panel in panels:
        cells = [_training_cell(panel, run) for run in runs]
        if any(cells):
            rows.append((panel.title, cells))
    return rows


def _validation_cell(panel, rows):
    points = panel.points(rows, VALIDATION)
    if not points:
        return None
    # Lower is better for losses and errors, higher for scores.
    is_error = panel.metric.endswith(("loss", "rmse"))
    select = min if is_error else max
    step, best = select(points, key=lambda point: point[1])
    if best == points[-1][1]:
        return best, "best"
    return points[-1][1], f"best {number_text(best)} at update {step:,}"


def _training_cell(panel, run):
    if panel.metric.endswith("per_second"):
        median = run.median(panel.metric)
        return None if median is None else (median, "median")
    points = panel.points(run.rows)
    return (points[-1][1], "last") if points else None


def _data_uri(panel, runs):
    """A panel's figure as a URI that contains its data."""
    svg = curves_svg(panel, [run.rows for run in runs])
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _drawings(run):
    """The figures in a run's directory: their titles and URIs."""
    paths = [path for name in FIGURES if (path := run.path / name).is_file()]
    return [
        (
            path.stem.replace("_", " ").capitalize(),
            "data:image/png;base64,"
            + base64.b64encode(path.read_bytes()).decode(),
        )
        for path in paths
    ]


def setting_text(value):
    """A setting as in `settings.yaml`; a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def number_text(value):
    """A number with four digits, or with thousands separators."""
    if isinstance(value, float) and abs(value) < 10_000:
        return f"{value:.4g}"
    if isinstance(value, int | float):
        return f"{value:,.0f}"
    return str(value)
