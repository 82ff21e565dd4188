"""Opens tables: CSV, TSV, JSON Lines and Parquet files with named columns."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from albert_keras.data.reading.utf8_lines import decode_line
from albert_keras.data.tables.delimited_text import (
    delimited_rows,
    find_dialect,
)
from albert_keras.files.strict_json import parse_json

_JSON = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
_DELIMITED = (".csv", ".tsv", ".tab", ".txt")
_ROWS_PER_BATCH = 1024
_BROKEN_SHARE = 0.5  # more broken rows mean that the file is something else


@dataclasses.dataclass
class Table:
    """A file with named columns, read row by row.

    Attributes:
        path: The file.
        columns: Names of its columns.
        description: How the file is read, such as its delimiter.
        broken: Reasons why rows could not be read, by line (in Parquet: row,
            from 1), after they have been passed.
        schema: PyArrow's schema of a Parquet file, or None.
    """

    path: Path
    columns: tuple[str, ...]
    description: str
    make_rows: Callable
    broken: dict[int, str] = dataclasses.field(default_factory=dict)
    schema: Any = None

    def rows(
        self, on_bytes: Callable[[int], Any] = lambda count: None
    ) -> Iterator[tuple[int, list]]:
        """Yields (line, cells in the order of the columns) of each row.

        Args:
            on_bytes: Called with the number of bytes read since the last call.

        Raises:
            ValueError: At the end, if more than half of the rows are broken.
        """
        self.broken.clear()
        count = 0
        for line, cells in self.make_rows(self.broken, on_bytes):
            count += 1
            yield line, cells
        if len(self.broken) > _BROKEN_SHARE * (count + len(self.broken)):
            line, reason = next(iter(self.broken.items()))
            raise ValueError(
                f"{self.path}: {len(self.broken):,} of "
                f"{count + len(self.broken):,} rows cannot be read as "
                f"{self.description}, such as line {line}: {reason}. Save the "
                "table again, as CSV in UTF-8."
            )


def open_table(
    path: str | Path,
    needed: Mapping[str, Sequence[str]],
    encoding: str | None = None,
) -> Table:
    """Opens a table.

    Args:
        path: A CSV, TSV, JSON Lines or Parquet file, known by its suffix.
            Delimiter and encoding of CSV and TSV are found out.
        needed: Names of columns that it must have, by the argument that asks
            for them.
        encoding: Encoding of a CSV or TSV file; None finds out.

    Raises:
        ValueError: If there is no such file, it is of another kind or has no
            columns, or lacks some; lists the ones there are.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"{path} does not exist. Pass a CSV, TSV, JSON Lines or Parquet "
            "file."
        )
    suffix = path.suffix.lower()
    names = [name for group in needed.values() for name in group]
    if suffix in PARQUET:
        table = _open_parquet(path)
    elif suffix in _JSON:
        table = _open_json_lines(path)
    elif suffix in _DELIMITED or not suffix:
        table = _open_delimited(path, names, encoding)
    else:
        raise ValueError(
            f"{path} must be a table: {', '.join(_DELIMITED + _JSON)} or "
            f"{', '.join(PARQUET)}. Received: {suffix}. Export it as CSV."
        )
    for argument, group in needed.items():
        for name in group:
            _check_column(table, name, argument)
    return table


def _check_column(table, name, argument):
    found = table.columns.count(name)
    if found != 1:
        problem = "has no column" if not found else f"has {found} columns"
        raise ValueError(
            f"{table.path} {problem} {name!r}. Its columns are: "
            f"{', '.join(map(repr, table.columns)):.500}. Pass the name of one "
            f"as `{argument}`."
        )


def _open_delimited(path, names, encoding):
    dialect = find_dialect(path, names, encoding)
    delimiter = {"\t": "tabs"}.get(dialect.delimiter, repr(dialect.delimiter))
    return Table(
        path,
        dialect.columns,
        f"{dialect.encoding} text, separated by {delimiter}",
        lambda broken, on_bytes: delimited_rows(
            path, dialect, broken, on_bytes
        ),
    )


# === JSON Lines ===


def _open_json_lines(path):
    """Opens a file of objects; its columns are the keys of all objects."""
    columns: dict[str, None] = {}
    for _, row in _json_rows(path, {}, lambda count: None):
        columns.update(dict.fromkeys(row))
    if not columns:
        raise ValueError(
            f"{path} has no line with a JSON object. Pass JSON Lines: an "
            "object on each line."
        )
    names = tuple(columns)

    def rows(broken, on_bytes):
        for line, row in _json_rows(path, broken, on_bytes):
            yield line, [row.get(name) for name in names]

    return Table(path, names, "JSON Lines", rows)


def _json_rows(path, broken, on_bytes):
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            on_bytes(len(line))
            if not line.strip():
                continue
            try:
                row = parse_json(decode_line(line))
            except ValueError as error:
                broken[number] = f"{error}"[:200]
                continue
            if isinstance(row, dict):
                yield number, row
            else:
                broken[number] = f"{type(row).__name__} instead of an object"


# === Parquet ===


def _open_parquet(path):
    pyarrow = import_pyarrow(path)
    try:
        schema = pyarrow.parquet.read_schema(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is not a Parquet file, or damaged: {error}."
        ) from error

    def rows(broken, on_bytes):
        with pyarrow.parquet.ParquetFile(path) as file:
            number, total = 0, max(file.metadata.num_rows, 1)
            row_bytes = path.stat().st_size / total
            for cells in _column_batches(pyarrow, file, path):
                for row in zip(*cells, strict=True):
                    number += 1
                    yield number, list(row)
                on_bytes(int(len(cells[0]) * row_bytes))

    return Table(path, tuple(schema.names), "Parquet", rows, schema=schema)


def _column_batches(pyarrow, file, path):
    """Yields the columns of some rows, as lists; errors name the file."""
    try:
        for batch in file.iter_batches(_ROWS_PER_BATCH):
            if batch.num_columns:
                yield [column.to_pylist() for column in batch.columns]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged: {error}. Copy or write it again."
        ) from error


def import_pyarrow(path: str | Path) -> Any:
    """Imports PyArrow with its Parquet files, which is an optional dependency.

    Raises:
        ValueError: If it is not installed; names the file that needs it.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(
            f"{path} needs pyarrow: pip install pyarrow."
        ) from error
    return pyarrow
