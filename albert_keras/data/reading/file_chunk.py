"""A part of a file that one process reads."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from albert_keras.data.reading.compressed_files import (
    COMPRESSIONS,
    read_byte_lines,
)


@dataclasses.dataclass(frozen=True)
class FileChunk:
    """A part of a file that one process reads.

    Attributes:
        path: The file.
        start, end: Bytes, or row groups in Parquet; `end` is exclusive.
    """

    path: str
    start: int
    end: int


def byte_chunks(
    path: str | Path, size: int | None, undivided: Sequence[str] = COMPRESSIONS
) -> list[FileChunk]:
    """Splits a file into chunks of `size` bytes.

    Args:
        path: A file.
        size: Bytes per chunk; None for one chunk of the whole file.
        undivided: Suffixes of files that are always one chunk.
    """
    total = Path(path).stat().st_size
    if size is None or Path(path).suffix in undivided:
        size = total
    return [
        FileChunk(str(path), start, min(start + size, total))
        for start in range(0, total, max(size, 1))
    ]


def lines_from(
    chunk: FileChunk, on_bytes: Callable[[int], None]
) -> Iterator[tuple[int, bytes]]:
    """Yields (position, line) from the first line that starts in a chunk.

    Reads on past the chunk's end, because a document that starts in the chunk
    may end after it: the caller stops.
    """
    if chunk.start == 0:
        yield from read_byte_lines(chunk.path, 0, on_bytes)
        return
    lines = read_byte_lines(chunk.path, chunk.start - 1, on_bytes)
    next(lines, None)  # the rest of a line of the previous chunk
    yield from lines


def end_offset(chunk: FileChunk) -> int | None:
    """The chunk's end; None to read a file to its end, or a compressed one."""
    path = Path(chunk.path)
    if path.suffix in COMPRESSIONS or chunk.end >= path.stat().st_size:
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
