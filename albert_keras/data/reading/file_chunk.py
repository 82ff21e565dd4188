"""A part of a file that one process reads."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

from albert_keras.data.reading.compressed_files import read_byte_lines


@dataclasses.dataclass(frozen=True, slots=True)
class FileChunk:
    """A part of a file that one process reads.

    Attributes:
        path: The file.
        start, end: Bytes, or row groups in Parquet; `end` is exclusive.
        format, compression: See `detect_format`.
    """

    path: str
    start: int
    end: int
    format: str
    compression: str


def byte_chunks(whole: FileChunk, size: int | None) -> list[FileChunk]:
    """Splits a file into chunks of `size` bytes.

    Args:
        whole: The whole file.
        size: Bytes per chunk; None for one chunk, as of a compressed file.
    """
    if size is None or whole.compression:
        return [whole]
    return [
        dataclasses.replace(
            whole, start=start, end=min(start + size, whole.end)
        )
        for start in range(0, whole.end, size)
    ]


def lines_from(
    chunk: FileChunk, on_bytes: Callable[[int], None]
) -> Iterator[tuple[int, bytes]]:
    """Yields (position, line) from the first line that starts in a chunk.

    Reads on past the chunk's end, because a document that starts in the chunk
    may end after it: the caller stops.
    """
    start = _first_line(chunk)
    if start is None:
        on_bytes(chunk.end - chunk.start)
        return
    on_bytes(start - chunk.start)
    yield from read_byte_lines(chunk.path, start, on_bytes)


def _first_line(chunk):
    """Where the first line of a chunk starts; None if none starts in it."""
    if chunk.start == 0:
        return 0
    position = chunk.start - 1
    with open(chunk.path, "rb") as file:
        file.seek(position)
        while position < chunk.end and (block := file.read(1 << 16)):
            found = block.find(b"\n") + 1
            if found:
                start = position + found
                return start if start < chunk.end else None
            position += len(block)
    return None


def end_offset(chunk: FileChunk) -> int | None:
    """The chunk's end; None to read a file to its end, or a compressed one."""
    if chunk.compression or chunk.end >= Path(chunk.path).stat().st_size:
        return None
    return chunk.end


def count_lines(path: str | Path, position: int) -> int:
    """Counts the line feeds before a position of a file."""
    count = 0
    with open(path, "rb") as file:
        while position > 0 and (block := file.read(min(position, 1 << 20))):
            count += block.count(b"\n")
            position -= len(block)
    return count
