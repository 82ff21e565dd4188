"""Writes tables row by row, as CSV, TSV, JSON Lines or Parquet, atomically."""

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from albert_keras.data.tables.table_files import PARQUET, Table, import_pyarrow
from albert_keras.data.tables.table_labels import SEPARATOR
from albert_keras.files.atomic_write import atomic_file

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_JSON = (".jsonl", ".ndjson")
TABLE_SUFFIXES = (*_DELIMITERS, *_JSON, *PARQUET)


def check_table_suffix(path: str | Path) -> None:
    """Raises a `ValueError` unless `write_table` knows the file's suffix."""
    if Path(path).suffix.lower() not in TABLE_SUFFIXES:
        raise ValueError(
            f"The table to write must end in {', '.join(TABLE_SUFFIXES)}. "
            f"Received: {path}. Pass another file."
        )


def is_parquet(path: str | Path) -> bool:
    """Whether `write_table` writes this file as Parquet."""
    return Path(path).suffix.lower() in PARQUET


def parquet_schema(table: Table, new_fields: Sequence[tuple]) -> Any:
    """PyArrow's schema of a table with new columns.

    The columns of a table that is no Parquet file are strings.

    Args:
        table: The `Table`.
        new_fields: (name, PyArrow's type) of each new column.
    """
    import pyarrow

    schema = table.schema
    if schema is None:
        text = pyarrow.string()
        schema = pyarrow.schema([(name, text) for name in table.columns])
    schema = schema.remove_metadata()
    for name, kind in new_fields:
        schema = schema.append(pyarrow.field(name, kind))
    return schema


def kept_cells(path: str | Path, table: Table) -> Callable[[list], list]:
    """Returns a function of a row's cells as `write_table` writes them.

    Parquet has types: its columns from a table without types are strings.
    """
    if not is_parquet(path) or table.schema is not None:
        return lambda cells: cells
    return lambda cells: [
        None if cell is None else str(to_text(cell)) for cell in cells
    ]


@contextlib.contextmanager
def write_table(
    path: str | Path, columns: Sequence[str], schema: Any = None
) -> Iterator[Callable[[list], None]]:
    """Yields a function that writes a list of rows.

    The file appears when the block ends without an error. In CSV and TSV,
    lists are written as `a|b`, or in JSON if an item contains `|`.

    Args:
        path: The file; its suffix tells the format.
        columns: Names of the columns.
        schema: PyArrow's schema for Parquet; None takes it from the first
            rows.
    """
    path = Path(path)
    check_table_suffix(path)
    suffix = path.suffix.lower()
    pyarrow = import_pyarrow(path) if is_parquet(path) else None
    with atomic_file(path, "wb") as file:
        if suffix in PARQUET:
            with _parquet_writer(pyarrow, file, columns, schema) as write:
                yield write
            return
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        if suffix in _JSON:

            def write(rows):
                for row in rows:
                    values = dict(zip(columns, row, strict=True))
                    line = json.dumps(values, ensure_ascii=False, default=str)
                    text.write(line + "\n")
        else:
            writer = csv.writer(
                text, delimiter=_DELIMITERS[suffix], lineterminator="\n"
            )
            writer.writerow(columns)

            def write(rows):
                writer.writerows([*map(to_text, row)] for row in rows)

        yield write
        text.detach()


def to_text(cell: Any) -> Any:
    """A cell as `csv` writes it."""
    if isinstance(cell, (list, tuple)):
        items = [str(item) for item in cell]
        if not any(SEPARATOR in item for item in items):
            return SEPARATOR.join(items)
    if isinstance(cell, (list, tuple, dict)):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return cell


@contextlib.contextmanager
def _parquet_writer(pyarrow, file, columns, schema):
    writer = None

    def write(rows):
        nonlocal writer
        arrays = dict(zip(columns, zip(*rows, strict=True), strict=True))
        table = pyarrow.table(
            {name: list(values) for name, values in arrays.items()},
            schema=schema if writer is None else writer.schema,
        )
        if writer is None:
            writer = pyarrow.parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()
