"""A part of a file, read by one process."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from albert_keras.data.reading.compressed_files import (
    COMPRESSIONS,
    read_byte_lines,
)


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A part of a file.

    Attributes:
        path: The file.
        start, end: Bytes, or row groups in Parquet; `end` is exclusive.
    """

    path: str
    start: int
    end: int


def byte_stretches(
    path: str | Path, size: int | None, undivided: Sequence[str] = COMPRESSIONS
) -> list[Stretch]:
    """Stretches of so many bytes.

    Args:
        path: A file.
        size: Bytes of a stretch; None for one of the whole file.
        undivided: Suffixes of files that are one stretch in any case.
    """
    total = Path(path).stat().st_size
    if size is None or Path(path).suffix in undivided:
        size = total
    return [
        Stretch(str(path), start, min(start + size, total))
        for start in range(0, total, max(size, 1))
    ]


def lines_of(
    stretch: Stretch, on_bytes: Callable[[int], None]
) -> Iterator[tuple[int, bytes]]:
    """(position, line) from the first line that begins in a stretch on.

    The end is the caller's: what begins in a stretch may end behind it.
    """
    if stretch.start == 0:
        yield from read_byte_lines(stretch.path, 0, on_bytes)
        return
    lines = read_byte_lines(stretch.path, stretch.start - 1, on_bytes)
    next(lines, None)  # the rest of a line that began before
    yield from lines


def end_of(stretch: Stretch) -> int | None:
    """The stretch's end; None where it is that of the file, or packed."""
    path = Path(stretch.path)
    if path.suffix in COMPRESSIONS or stretch.end >= path.stat().st_size:
        return None
    return stretch.end


def count_lines(path: str | Path, position: int) -> int:
    """Number of line ends before a position of a file."""
    count = 0
    with open(path, "rb") as file:
        while position > 0 and (block := file.read(min(position, 1 << 20))):
            count += block.count(b"\n")
            position -= len(block)
    return count
