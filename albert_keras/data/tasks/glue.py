"""GLUE's nine tasks, and their files.

Wang et al. 2019, arXiv:1804.07461. Columns, labels and submissions are those
of the official archives of https://gluebenchmark.com.
"""

import dataclasses
from pathlib import Path

import numpy as np

from albert_keras.data.reading.utf8_lines import read_text_lines

# Rows of a training file with another number of columns: more are an error.
# One torn line among hundreds of thousands does not stop a run.
_MALFORMED_SHARE = 1e-3


@dataclasses.dataclass(frozen=True)
class GlueTask:
    """A task: where its texts and labels are, and how it is scored.

    Attributes:
        name: Of the task and its folder.
        texts: Columns of the text and, in tasks of pairs, of the other.
        label: Column of the label.
        classes: Labels in the order of their ids; none for regression.
        metrics: Names of the scores; the first is the one that matters.
        index: Column of a test row's index.
        columns: Of files that have no header: those with labels.
        dev_files: File of each development set, by the end of its name.
        test_files: File of each test set, by that of its submission.
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
        """Outputs of the model; 1 for regression."""
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
        texts: The texts; a second tuple in tasks of pairs.
        labels: Class ids int32 `(N,)`, scores float32 `(N,)`, or None.
        indices: Of each row, as in the file; its number where it has none.
        malformed: Numbers of lines that were left out.
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

    Quotes are text like any other. Each row must have as many columns as the
    header; of the training files, which the benchmark does not count the
    rows of, one row in a thousand may have another number and is left out.

    Args:
        task: A `GlueTask`.
        path: The `.tsv`.
        split: "train", "dev" or "test"; the last has no labels.

    Returns:
        `GlueRows`.

    Raises:
        ValueError: If the file is missing, empty or no UTF-8, or a column is
            missing, or a row has too many or too few, or its label is none
            of the task's; names file, line and what was expected.
    """
    path = Path(path)
    lines = read_text_lines(
        path,
        f"--data_dir must hold the folder {task.name} of GLUE's archive, "
        f"with its {path.name}.",
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
        raise ValueError(f"{path} holds no row. Pass a file with some.")
    return GlueRows(
        path=path,
        texts=tuple(zip(*texts, strict=True)),
        labels=_as_array(task, labels) if split != "test" else None,
        indices=tuple(indices),
        malformed=tuple(number for number, _ in malformed),
    )


def _find_columns(task, path, header, split):
    """Place of each column that is needed, and of the index if it is there."""
    needed = task.texts + ((task.label,) if split != "test" else (task.index,))
    missing = [name for name in needed if name not in header]
    if missing:
        raise ValueError(
            f"{path} is not {task.name}'s: line 1 must name the columns "
            f"{', '.join(needed)}, with tabs in between. Missing: "
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
    also = f", and {others} more lines are so" if others else ""
    raise ValueError(
        f"{path}, line {number}: expected {len(header)} columns "
        f"({', '.join(header)}) with tabs in between. Received: {received}"
        f"{also}. Download the file again, or mend it: quotes do not hold "
        "tabs or line breaks together."
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
        f"{expected}. Received: {cell!r:.60}."
    )


def _as_array(task, labels):
    return np.array(labels, "int32" if task.classes else "float32")
