"""Reads Parquet files as on the Hugging Face Hub: one document per row."""

from collections.abc import Callable, Iterator
from pathlib import Path

from albert_keras.data.reading.file_chunk import FileChunk
from albert_keras.data.reading.unreadable_text import BadText

_COLUMN = "text"
_ROWS_PER_BATCH = 256


def chunks(path: str | Path, size: int | None) -> list[FileChunk]:
    """Splits a file into row groups of at least `size` bytes in memory."""
    file = _open(path)
    groups = file.metadata.num_row_groups
    if size is None:
        return [FileChunk(str(path), 0, groups)]
    found, start, num_bytes = [], 0, 0
    for group in range(groups):
        num_bytes += file.metadata.row_group(group).total_byte_size
        if num_bytes >= size or group == groups - 1:
            found.append(FileChunk(str(path), start, group + 1))
            start, num_bytes = group + 1, 0
    return found


def records(
    chunk: FileChunk, on_bytes: Callable[[int], None], bad_text: BadText
) -> Iterator[tuple]:
    """Yields the texts of the rows, with their numbers."""
    file = _open(chunk.path)
    num_rows = max(file.metadata.num_rows, 1)
    row_bytes = Path(chunk.path).stat().st_size / num_rows
    reached = 0.0
    for group in range(chunk.start, chunk.end):
        number = sum(file.metadata.row_group(g).num_rows for g in range(group))
        for batch in _batches(file, chunk.path, group):
            for text in batch.column(0).to_pylist():
                number += 1
                yield chunk.path, number, text
            before, reached = reached, reached + batch.num_rows * row_bytes
            on_bytes(int(reached) - int(before))


def paragraphs(record: tuple, bad_text: BadText) -> list[str]:
    """Returns the lines of a row's text; empty if it is skipped."""
    path, number, text = record
    if isinstance(text, str):
        return text.split("\n")
    bad_text.report(
        f"{path}, row {number}: expected a string under {_COLUMN!r}, got "
        f"{text!r}. Correct or remove the row."
    )
    return []


def _batches(file, path, group):
    """Yields batches of a group's rows; errors name file and group."""
    import pyarrow

    try:
        yield from file.iter_batches(
            _ROWS_PER_BATCH, row_groups=[group], columns=[_COLUMN]
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is damaged in row group {group}: {error}. Download it "
            "again, or leave it out."
        ) from error


def _open(path):
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(
            f"Reading {path} needs pyarrow: pip install pyarrow."
        ) from error
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is not a Parquet file, or damaged: {error}. Download "
            "it again, or leave it out."
        ) from error
    names = file.schema_arrow.names
    if _COLUMN not in names:
        raise ValueError(
            f"{path} has no column {_COLUMN!r}, only {', '.join(names)}. "
            f"Rename the column of the documents to {_COLUMN!r}."
        )
    return file
