"""Reads Parquet files as on the Hugging Face Hub: one document per row."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

from albert_keras.data.reading.file_chunk import FileChunk
from albert_keras.data.reading.unreadable_text import BadText

_ROWS_PER_BATCH = 256


def chunks(
    whole: FileChunk, size: int | None, text_field: str
) -> list[FileChunk]:
    """Splits a file into row groups of at least `size` bytes in memory."""
    file = _open(whole.path, text_field)
    groups = file.metadata.num_row_groups
    if size is None:
        return [dataclasses.replace(whole, end=groups)]
    found, start, num_bytes = [], 0, 0
    for group in range(groups):
        num_bytes += file.metadata.row_group(group).total_byte_size
        if num_bytes >= size or group == groups - 1:
            found.append(dataclasses.replace(whole, start=start, end=group + 1))
            start, num_bytes = group + 1, 0
    return found


def records(
    chunk: FileChunk,
    on_bytes: Callable[[int], None],
    bad_text: BadText,
    text_field: str,
) -> Iterator[tuple]:
    """Yields the texts of the rows, with their numbers."""
    file = _open(chunk.path, text_field)
    num_rows = max(file.metadata.num_rows, 1)
    row_bytes = Path(chunk.path).stat().st_size / num_rows
    reached = 0.0
    for group in range(chunk.start, chunk.end):
        number = sum(file.metadata.row_group(g).num_rows for g in range(group))
        for batch in _batches(file, chunk.path, group, text_field):
            for text in batch.column(0).to_pylist():
                number += 1
                yield chunk.path, number, text
            before, reached = reached, reached + batch.num_rows * row_bytes
            on_bytes(int(reached) - int(before))


def paragraphs(record: tuple, bad_text: BadText, text_field: str) -> list[str]:
    """Returns the lines of a row's text; empty if it is skipped."""
    path, number, text = record
    if isinstance(text, str):
        return text.split("\n")
    bad_text.report(
        f"{path}, row {number}: expected a string under {text_field!r}, got "
        f"{text!r}. Correct or remove the row."
    )
    return []


def _batches(file, path, group, text_field):
    """Yields batches of a group's rows; errors name file and group."""
    import pyarrow

    try:
        yield from file.iter_batches(
            _ROWS_PER_BATCH, row_groups=[group], columns=[text_field]
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is damaged in row group {group}: {error}. Download it "
            "again, or leave it out."
        ) from error


def _open(path, text_field):
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
    if text_field not in names:
        raise ValueError(
            f"{path} has no column {text_field!r}, only {', '.join(names)}. "
            "Pass the name of the column of the documents as `text_field`."
        )
    return file
