"""Parquet, as Hugging Face's data sets have it: a document a row."""

from collections.abc import Callable, Iterator
from pathlib import Path

from albert_keras.data.reading.file_chunk import FileChunk
from albert_keras.data.reading.unreadable_text import BadText

_COLUMN = "text"
_ROWS_AT_ONCE = 256


def chunks(path: str | Path, size: int | None) -> list[FileChunk]:
    """Runs of row groups, of so many bytes in memory at least."""
    file = _open(path)
    groups = file.metadata.num_row_groups
    if size is None:
        return [FileChunk(str(path), 0, groups)]
    found, start, held = [], 0, 0
    for group in range(groups):
        held += file.metadata.row_group(group).total_byte_size
        if held >= size or group == groups - 1:
            found.append(FileChunk(str(path), start, group + 1))
            start, held = group + 1, 0
    return found


def records(
    chunk: FileChunk, on_bytes: Callable[[int], None], bad_text: BadText
) -> Iterator[tuple]:
    """The texts of the rows, with their number."""
    file = _open(chunk.path)
    share = Path(chunk.path).stat().st_size / max(file.metadata.num_rows, 1)
    counted = 0.0
    for group in range(chunk.start, chunk.end):
        number = sum(file.metadata.row_group(g).num_rows for g in range(group))
        for batch in _batches(file, chunk.path, group):
            for text in batch.column(0).to_pylist():
                number += 1
                yield chunk.path, number, text
            before, counted = counted, counted + batch.num_rows * share
            on_bytes(int(counted) - int(before))


def paragraphs(record: tuple, bad_text: BadText) -> list[str]:
    """The lines of a row's text; none where it is skipped."""
    path, number, text = record
    if isinstance(text, str):
        return text.split("\n")
    bad_text.report(
        f"{path}, row {number}: expected a string under {_COLUMN!r}, got "
        f"{text!r}. Correct or leave out the row."
    )
    return []


def _batches(file, path, group):
    """The rows of a group, some at a time, with a message for damage."""
    import pyarrow

    try:
        yield from file.iter_batches(
            _ROWS_AT_ONCE, row_groups=[group], columns=[_COLUMN]
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} is damaged in row group {group}: {error}. Fetch it "
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
            f"{path} is not a Parquet file, or damaged: {error}. Fetch it "
            "again, or leave it out."
        ) from error
    names = file.schema_arrow.names
    if _COLUMN not in names:
        raise ValueError(
            f"{path} has no column {_COLUMN!r}, only {', '.join(names)}. "
            f"Rename the one that holds the documents to {_COLUMN!r}."
        )
    return file
