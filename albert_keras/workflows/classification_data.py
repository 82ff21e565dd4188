"""Tables of texts and labels for fine-tuning, with what was found in them."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.conversion.formats import read_pretrained
from albert_keras.conversion.sources import local_directory
from albert_keras.data.tables.table_labels import (
    Labels,
    kinds_of_labels,
    learn_labels,
)
from albert_keras.data.tables.text_table import (
    TextColumns,
    TextTable,
    encode_labels,
    read_text_table,
    split_rows,
)
from albert_keras.data.tasks.labelled_texts import LabelledTexts
from albert_keras.evaluation.classification_evaluation import (
    ClassificationEvaluation,
)
from albert_keras.focal_cross_entropy import FocalCrossEntropy
from albert_keras.models.texts.classifying import class_names
from albert_keras.problems import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from albert_keras.reporting.classification_figures import draw_classification
from albert_keras.training import distributed
from albert_keras.workflows.evaluate import make_examples, say_report
from albert_keras.workflows.progress_bars import progress_bars
from albert_keras.workflows.settings.task_settings import (
    CLASSIFICATION_DEFAULTS,
    ClassificationSettings,
)

DEV_SHARE = 0.1


@dataclasses.dataclass
class TrainingData:
    """The training and development rows of a run.

    Attributes:
        labels: The problem and the classes.
        table, encoded: Training rows and their labels.
        dev, dev_encoded: Development rows and their labels, or None.
    """

    labels: Labels
    table: TextTable
    encoded: np.ndarray
    dev: TextTable | None = None
    dev_encoded: np.ndarray | None = None


def columns_of(
    settings: ClassificationSettings, with_labels: bool = True
) -> TextColumns:
    """The columns that the settings name."""
    labels = settings.label_column if with_labels else ()
    return TextColumns(settings.text_column, settings.pair_column, labels)


def read_training_data(settings: ClassificationSettings) -> TrainingData:
    """Reads the training file, finds its labels, and reads or chooses dev rows.

    Prints what was found and which rows are not usable.
    """
    raw = read_table(settings, settings.train_file or "")
    columns = columns_of(settings)
    if settings.dev_file:  # its columns are checked before anything is done
        columns.open(settings.dev_file, settings.encoding)
    labels = learn_labels(raw.cells, columns.labels, settings.problem)
    table, encoded = encode_labels(raw, labels)
    say_labels(table, labels, encoded, kinds_of_labels(raw.cells))
    say_report(table.path, table.num_rows, table.unusable)
    data = TrainingData(labels, table, encoded)
    if settings.dev_file:
        data.dev, data.dev_encoded = read_labelled(
            settings, settings.dev_file, labels
        )
        return data
    share = DEV_SHARE if settings.dev_share is None else settings.dev_share
    if share == 0:
        return data
    training, dev, once = split_rows(
        encoded, labels.problem, share, settings.seed
    )
    data.table, data.encoded = table.take(training), encoded[training]
    data.dev, data.dev_encoded = table.take(dev), encoded[dev]
    distributed.say(
        f"{table.path}: {len(dev):,} of {len(table):,} rows are held out to "
        f"evaluate on (--dev_share {share}, --seed {settings.seed})."
    )
    say_report(
        table.path,
        len(table),
        {
            "rows are the only one of their label, and stay in training": [
                table.lines[index] for index in once
            ]
        },
    )
    return data


def read_table(settings: ClassificationSettings, path: str) -> TextTable:
    """Reads a table with the columns of the settings, with a progress bar."""
    with progress_bars("B", unit_scale=True) as progress:
        size = Path(path).stat().st_size if Path(path).is_file() else 0
        return read_text_table(
            path,
            columns_of(settings),
            settings.encoding,
            progress("reading", size),
        )


def read_labelled(
    settings: ClassificationSettings, path: str, labels: Labels
) -> tuple[TextTable, np.ndarray]:
    """Reads the usable rows of a table whose labels are known, with these."""
    table, encoded = encode_labels(read_table(settings, path), labels)
    say_report(table.path, table.num_rows, table.unusable)
    return table, encoded


def say_labels(
    table: TextTable,
    labels: Labels,
    encoded: np.ndarray,
    kinds: dict[str, int],
) -> None:
    """Prints how a file was read, which problem its labels pose, and classes.

    Args:
        table: The usable rows.
        labels: Their problem and classes.
        encoded: The labels.
        kinds: See `kinds_of_labels`.
    """
    distributed.say(
        f"{table.path}: {len(table):,} usable of {table.num_rows:,} rows, "
        f"{table.description}."
    )
    classes = ""
    if labels.class_names:
        ids = np.arange(labels.num_classes)
        chosen = encoded == 1
        if labels.problem == SINGLE_LABEL:
            chosen = encoded[:, None] == ids
        counts = chosen.sum(axis=0)
        order = sorted(ids, key=lambda i: -counts[i])
        shown = [f"{labels.class_names[i]} {counts[i]:,}" for i in order[:20]]
        more = ", ..." if len(ids) > len(shown) else ""
        classes = f", {len(ids)} classes: {', '.join(shown)}{more}"
    distributed.say(
        f"Problem: {labels.problem} ({labels.reason}; --problem sets "
        f"it){classes}."
    )
    if len(kinds) > 1 and labels.problem == SINGLE_LABEL:
        found = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
        distributed.say(
            f"{table.path}: labels of mixed types ({found}) are all read as "
            "names."
        )


def labels_of(model: Any, settings: ClassificationSettings) -> Labels:
    """Returns the labels that a fine-tuned model predicts.

    Raises:
        ValueError: If the settings have other columns than the model classes.
    """
    names = class_names_of(model)
    columns = settings.label_column
    if len(columns) > 1 and tuple(columns) != names:
        raise ValueError(
            f"--label_column must be the model's classes {', '.join(names)}, "
            f"in this order, or one column. Received: {', '.join(columns)}."
        )
    return Labels(model.problem, names, columns)


def class_names_of(model: Any) -> tuple[str, ...]:
    """Names of a model's classes, or their numbers; empty for a regression."""
    return () if model.problem == REGRESSION else class_names(model)


def make_loss(
    settings: ClassificationSettings, problem: str
) -> FocalCrossEntropy | None:
    """The loss that the settings ask for; None is the model's own.

    Raises:
        ValueError: If it is not for this problem.
    """
    is_focal = settings.loss == "focal"
    if not (is_focal or settings.label_smoothing):
        return None
    if problem == REGRESSION:
        name = "loss focal" if is_focal else "label_smoothing"
        raise ValueError(
            f"--{name} requires classes. Received: a regression, whose labels "
            "are numbers. Omit it, or pass --problem single_label."
        )
    gamma = 2.0 if settings.focal_gamma is None else settings.focal_gamma
    return FocalCrossEntropy(
        gamma if is_focal else 0.0,
        settings.label_smoothing,
        multi_label=problem == MULTI_LABEL,
    )


def find_sequence_length(settings: ClassificationSettings) -> int:
    """The maximum sequence length, given or as `default_length`.

    For training, before there is a model.
    """
    if settings.max_seq_length is not None:
        return settings.max_seq_length
    with local_directory(settings.pretrained) as directory:
        return default_length(read_pretrained(directory).config)


def default_length(config: Any) -> int:
    """The default sequence length, as far as a model has positions."""
    default = CLASSIFICATION_DEFAULTS.max_seq_length
    return min(default, config.max_sequence_length)


def make_texts(
    settings: ClassificationSettings,
    tokenizer: Any,
    table: TextTable,
    encoded: np.ndarray,
    length: int,
    weights: np.ndarray | None = None,
) -> tuple[LabelledTexts, dict[str, list]]:
    """Encodes the rows of a table; returns them and what was truncated."""
    examples = make_examples(
        settings,
        lambda **kwargs: LabelledTexts(
            table.texts,
            encoded,
            tokenizer,
            length,
            weights,
            source=table.path if settings.cache else None,
            **kwargs,
        ),
    )
    report = {
        f"rows were truncated to {length} tokens": [
            table.lines[index] for index in examples.cut.tolist()
        ]
    }
    say_report(table.path, len(table), report)
    return examples, report


def make_evaluation(
    settings: ClassificationSettings,
    table: TextTable,
    encoded: np.ndarray,
    labels: Labels,
    examples: LabelledTexts,
) -> ClassificationEvaluation:
    """The evaluation on a table; while training it also sets thresholds."""
    return ClassificationEvaluation(
        table,
        columns_of(settings),
        encoded,
        labels,
        examples,
        settings.eval_batch_size,
        settings.metric,
        tune_thresholds=settings.mode == "train",
    )


def draw_figures(
    evaluation: ClassificationEvaluation, directory: Path
) -> list[Path]:
    """Draws the figures of an evaluation's last call; returns their paths."""
    return draw_classification(
        directory,
        evaluation.labels.problem,
        evaluation.encoded,
        evaluation.predictions,
        evaluation.probabilities,
        evaluation.labels.class_names,
    )
