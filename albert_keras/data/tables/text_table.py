"""Texts and labels of a table, and which of its rows are not usable."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from albert_keras.data.tables.table_files import Table, open_table
from albert_keras.data.tables.table_labels import Labels, UnusableLabel
from albert_keras.files.text_files import has_surrogates
from albert_keras.problems import REGRESSION, SINGLE_LABEL

NO_TEXT = "have no text"
BROKEN = "cannot be read (line: reason)"


@dataclasses.dataclass(frozen=True)
class TextColumns:
    """The columns of a table to use.

    Attributes:
        text: Column of the text.
        pair: Column of the second text, or None.
        labels: Columns of the labels; none to predict.
    """

    text: str
    pair: str | None = None
    labels: tuple[str, ...] = ()

    def open(self, path: str | Path, encoding: str | None = None) -> Table:
        """Opens a table that has these columns, see `open_table`."""
        needed = {
            "text_column": (self.text,),
            "pair_column": (self.pair,) if self.pair else (),
            "label_column": self.labels,
        }
        return open_table(path, needed, encoding)

    @property
    def texts(self) -> tuple[str, ...]:
        """One or two columns."""
        return (self.text, self.pair) if self.pair else (self.text,)


@dataclasses.dataclass
class TextTable:
    """Texts of a table with the cells of their labels.

    Attributes:
        path: The file.
        texts: A list of texts, and a second one for pairs.
        cells: The cells of the columns of labels, for each row.
        lines: Line (in Parquet: row) of each row.
        unusable: Lines of the rows that were left out, by the reason, some
            with what was found there.
        num_rows: Number of all rows.
        description: How the file was read.
    """

    path: Path
    texts: tuple[list[str], ...]
    cells: list[tuple]
    lines: list[int]
    unusable: dict[str, list[int | str]]
    num_rows: int
    description: str = ""

    def __len__(self):
        return len(self.lines)

    def take(self, indices: Iterable[int]) -> "TextTable":
        """The rows of these indices."""
        indices = list(indices)
        return dataclasses.replace(
            self,
            texts=tuple([t[i] for i in indices] for t in self.texts),
            cells=[self.cells[i] for i in indices],
            lines=[self.lines[i] for i in indices],
        )


def read_text_table(
    path: str | Path,
    columns: TextColumns,
    encoding: str | None = None,
    on_bytes: Callable[[int], Any] = lambda count: None,
) -> TextTable:
    """Reads the rows with a text from a table.

    Args:
        path: See `open_table`.
        columns: The columns to use.
        encoding: See `open_table`.
        on_bytes: See `Table.rows`.

    Raises:
        ValueError: See `open_table`; or if no row has a text.
    """
    table = columns.open(path, encoding)
    places = [table.columns.index(name) for name in columns.texts]
    label_places = [table.columns.index(name) for name in columns.labels]
    texts: list[list[str]] = [[] for _ in places]
    cells, lines = [], []
    unusable: dict[str, list[int | str]] = collections.defaultdict(list)
    count = 0
    for line, row in table.rows(on_bytes):
        count += 1
        found = [row[place] for place in places]
        if reason := unusable_text(found):
            unusable[reason].append(line)
            continue
        for column, text in zip(texts, found, strict=True):
            column.append(text)
        cells.append(tuple(row[place] for place in label_places))
        lines.append(line)
    for line, reason in table.broken.items():
        unusable[BROKEN].append(f"{line}: {reason}")
    count += len(table.broken)
    if not lines:
        reasons = "".join(f" {len(v):,} {k}." for k, v in unusable.items())
        raise ValueError(
            f"{path} has no row with a text in {columns.texts}.{reasons} Pass "
            "another file or `text_column`."
        )
    return TextTable(
        Path(path),
        tuple(texts),
        cells,
        lines,
        dict(unusable),
        count,
        table.description,
    )


def usable_rows(
    rows: Sequence[tuple[int, list]],
    places: Sequence[int],
    missing: str,
    unusable: dict[str, list],
) -> tuple[list[int], list[list]]:
    """Finds the rows whose texts can be used.

    Args:
        rows: (line, cells) of each row.
        places: Indices of the texts among the cells.
        missing: What the other rows do not get, such as "prediction".
        unusable: Gets the lines of the other rows by the reason.

    Returns:
        (indices, texts): the usable rows and the texts of each.
    """
    indices, texts = [], []
    for index, (line, cells) in enumerate(rows):
        found = [cells[place] for place in places]
        if reason := unusable_text(found):
            reason = f"{reason}, and get no {missing}"
            unusable.setdefault(reason, []).append(line)
        else:
            indices.append(index)
            texts.append(found)
    return indices, texts


def unusable_text(texts: Sequence[Any]) -> str | None:
    """Why the texts of a row cannot be used; None if they can."""
    for text in texts:
        if text is None or (isinstance(text, str) and not text.strip()):
            return NO_TEXT
        if not isinstance(text, str):
            return "have something other than a text"
        if has_surrogates(text):
            return "have a text that is not Unicode"
    return None


def encode_labels(
    table: TextTable, labels: Labels
) -> tuple[TextTable, np.ndarray]:
    """Turns the cells of labels into an array for `fit`.

    Returns:
        (table, array): the table without the rows whose label cannot be used,
        which are added to `unusable`, and a label for each row.

    Raises:
        ValueError: If no row is left.
    """
    found, kept = [], []
    unusable = {reason: list(lines) for reason, lines in table.unusable.items()}
    for index, cells in enumerate(table.cells):
        try:
            found.append(labels.encode(cells))
        except UnusableLabel as error:
            line = table.lines[index]
            place = f"{line}: {error.found}" if error.found else line
            unusable.setdefault(str(error), []).append(place)
        else:
            kept.append(index)
    if not kept:
        reasons = "".join(f" {len(v):,} {k}." for k, v in unusable.items())
        raise ValueError(
            f"{table.path} has no row with a usable label in "
            f"{', '.join(labels.columns)}.{reasons} Pass another file or "
            "`label_column`."
        )
    table = dataclasses.replace(table.take(kept), unusable=unusable)
    return table, labels.to_array(found)


def split_rows(
    labels: np.ndarray, problem: str, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Divides rows into training and development rows.

    For "single_label", the rows of each class are divided in the same
    proportion; a class that occurs once stays in training. So are those of
    each combination of classes for "multi_label", if there are few ones.

    Args:
        labels: See `encode_labels`.
        problem: One of `albert_keras.problems.PROBLEMS`.
        share: Share of the development rows, above 0 and below 1.
        seed: Seed of the choice.

    Returns:
        (training indices, development indices, indices of rows whose class
        occurs once).

    Raises:
        ValueError: If there are too few rows for this share.
    """
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels))
    once = np.zeros(0, int)
    groups = None if problem == REGRESSION else _groups(labels)
    if groups is not None and problem == SINGLE_LABEL:
        counts = np.bincount(groups)
        once = rows[counts[groups] == 1]
        rows = rows[counts[groups] > 1]
        groups = groups[rows]
    elif groups is not None:  # combinations
        counts = np.bincount(groups)
        groups = np.where(counts[groups] == 1, -1, groups)
        smaller = min(share, 1 - share) * len(rows)
        _, counts = np.unique(groups, return_counts=True)
        if len(counts) > smaller or counts.min() == 1:
            groups = None
    try:
        training, dev = train_test_split(
            rows, test_size=share, random_state=seed, stratify=groups
        )
    except ValueError as error:
        raise ValueError(
            f"{len(labels):,} rows cannot be divided with `dev_share` "
            f"{share}: {error}. Pass another share, or a file as `dev_file`."
        ) from error
    training = np.sort(np.concatenate([training, once]))
    return training, np.sort(dev), once.tolist()


def _groups(labels):
    """Number of each row's class, or combination of classes."""
    keys = np.nan_to_num(labels, nan=-1.0)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def chunks_of_rows(rows: Iterator, size: int) -> Iterator[list]:
    """Yields lists of `size` rows, the last one shorter."""
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
