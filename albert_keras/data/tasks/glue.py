"""GLUE's nine tasks, and a reader for their files.

Wang et al. 2019, arXiv:1804.07461. Columns, labels and submission files are
those of the official archives at https://gluebenchmark.com.
"""

import dataclasses
from pathlib import Path

import numpy as np

from albert_keras.data.reading.utf8_lines import read_text_lines

# Largest share of a training file's rows that may have the wrong number of
# columns, so that one broken line in hundreds of thousands stops no run.
_MALFORMED_SHARE = 1e-3


@dataclasses.dataclass(frozen=True)
class GlueTask:
    """A task: its files and columns, and how it is scored.

    Attributes:
        name: Name of the task and its folder.
        texts: Columns of the text or, in a task of pairs, of both texts.
        label: Column of the label.
        classes: Labels in the order of their ids; empty for regression.
        metrics: Names of the metrics; the first is the task's score.
        index: Column of a test row's index.
        columns: Columns of labeled files, if these have no header.
        dev_files: Files of the development sets, by their names' suffix.
        test_files: Files of the test sets, by their submission file.
    """

    name: str
    texts: tuple[str, ...]
    label: str
    classes: tuple[str, ...] = ("0", "1")
    metrics: tuple[str, ...] = ("accuracy",)
    index: str = "index"
    columns: tuple[str, ...] | None = None
    dev_files: dict[str, str] = dataclasses.field(
        default_factory=lambda: {"": "dev.tsv"}
    )
    test_files: dict[str, str] | None = None

    def __post_init__(self):
        if self.test_files is None:
            files = {f"{self.name}.tsv": "test.tsv"}
            object.__setattr__(self, "test_files", files)

    @property
    def num_classes(self) -> int:
        """Number of model outputs; 1 for regression."""
        return len(self.classes) or 1


_ENTAILMENT = ("entailment", "not_entailment")

GLUE_TASKS = {
    task.name: task
    for task in (
        GlueTask(
            "CoLA",
            texts=("sentence",),
            label="label",
            metrics=("matthews", "accuracy"),
            columns=("source", "label", "star", "sentence"),
        ),
        GlueTask("SST-2", texts=("sentence",), label="label"),
        GlueTask(
            "MRPC",
            texts=("#1 String", "#2 String"),
            label="Quality",
            metrics=("accuracy", "f1"),
        ),
        GlueTask(
            "STS-B",
            texts=("sentence1", "sentence2"),
            label="score",
            classes=(),
            metrics=("pearson", "spearman"),
        ),
        GlueTask(
            "QQP",
            texts=("question1", "question2"),
            label="is_duplicate",
            metrics=("accuracy", "f1"),
            index="id",
        ),
        GlueTask(
            "MNLI",
            texts=("sentence1", "sentence2"),
            label="gold_label",
            classes=("contradiction", "entailment", "neutral"),
            dev_files={
                "matched": "dev_matched.tsv",
                "mismatched": "dev_mismatched.tsv",
            },
            test_files={
                "MNLI-m.tsv": "test_matched.tsv",
                "MNLI-mm.tsv": "test_mismatched.tsv",
            },
        ),
        GlueTask(
            "QNLI",
            texts=("question", "sentence"),
            label="label",
            classes=_ENTAILMENT,
        ),
        GlueTask(
            "RTE",
            texts=("sentence1", "sentence2"),
            label="label",
            classes=_ENTAILMENT,
        ),
        GlueTask("WNLI", texts=("sentence1", "sentence2"), label="label"),
    )
}


@dataclasses.dataclass(frozen=True)
class GlueRows:
    """The rows of a file.

    Attributes:
        path: The file.
        texts: A tuple of texts, and a second one in tasks of pairs.
        labels: Class ids int32 `(N,)`, scores float32 `(N,)`, or None.
        indices: Index column of each row, or its number if there is none.
        malformed: Numbers of the lines that were skipped.
    """

    path: Path
    texts: tuple[tuple[str, ...], ...]
    labels: np.ndarray | None
    indices: tuple[str, ...]
    malformed: tuple[int, ...] = ()

    def __len__(self):
        return len(self.indices)


def read_glue(
    task: GlueTask, path: str | Path, split: str = "train"
) -> GlueRows:
    """Reads an official file of a task.

    Quotes have no special meaning. Each row must have as many columns as the
    header. In training files, whose rows the benchmark does not count, up to
    one row in a thousand may have another number and is skipped.

    Args:
        task: A `GlueTask`.
        path: The `.tsv` file.
        split: "train", "dev" or "test"; the last has no labels.

    Returns:
        `GlueRows`.

    Raises:
        ValueError: If the file is missing, empty or not UTF-8, lacks a
            column, or has a row with the wrong number of columns or an
            unknown label; names file, line and what was expected.
    """
    path = Path(path)
    lines = read_text_lines(
        path,
        f"Pass the file {path.name} in the folder {task.name} of GLUE's "
        "archive.",
    )
    header = task.columns if split != "test" else None
    if header is None:
        header = tuple(next(lines, (1, ""))[1].split("\t"))
    places = _find_columns(task, path, header, split)
    texts, labels, indices, malformed = [], [], [], []
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(header):
            malformed.append((number, len(cells)))
            continue
        texts.append(tuple(cells[places[name]] for name in task.texts))
        index = places.get(task.index)
        indices.append(str(len(indices)) if index is None else cells[index])
        if split != "test":
            labels.append(_label(task, path, number, cells[places[task.label]]))
    allowed = _MALFORMED_SHARE * len(texts) if split == "train" else 0
    if len(malformed) > allowed:
        _refuse(path, malformed, header)
    if not texts:
        raise ValueError(f"{path} holds no row. Pass another file.")
    return GlueRows(
        path=path,
        texts=tuple(zip(*texts, strict=True)),
        labels=_as_array(task, labels) if split != "test" else None,
        indices=tuple(indices),
        malformed=tuple(number for number, _ in malformed),
    )


def _find_columns(task, path, header, split):
    """Positions of the needed columns, and of the index if there is one."""
    needed = task.texts + ((task.label,) if split != "test" else (task.index,))
    missing = [name for name in needed if name not in header]
    if missing:
        raise ValueError(
            f"{path} is not a file of {task.name}: line 1 must name the "
            f"columns {', '.join(needed)}, separated by tabs. Missing: "
            f"{', '.join(missing)}. Received: {', '.join(header)!r:.200}."
        )
    return {
        name: header.index(name)
        for name in {*needed, task.index}
        if name in header
    }


def _refuse(path, malformed, header):
    number, received = malformed[0]
    others = len(malformed) - 1
    also = f", and {others} more lines are malformed" if others else ""
    raise ValueError(
        f"{path}, line {number}: expected {len(header)} columns "
        f"({', '.join(header)}), separated by tabs. Received: {received}"
        f"{also}. Download the file again, or fix these lines: quotes do not "
        "protect tabs or line breaks."
    )


def _label(task, path, number, cell):
    if task.classes:
        if cell in task.classes:
            return task.classes.index(cell)
        expected = f"one of {', '.join(task.classes)}"
    else:
        try:
            score = float(cell)
        except ValueError:
            score = float("nan")
        if 0 <= score <= 5:
            return score
        expected = "a number from 0 to 5"
    raise ValueError(
        f"{path}, line {number}: the label ({task.label}) must be "
        f"{expected}. Received: {cell!r:.60}. Write the labels of "
        f"{task.name}'s official files in this column, or pass the `task` "
        "that the file belongs to."
    )


def _as_array(task, labels):
    return np.array(labels, "int32" if task.classes else "float32")
