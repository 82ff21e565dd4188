"""Finds text files by pattern and reads their lines, compressed or not."""

import bz2
import functools
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from albert_keras.data.reading.file_patterns import matching_files

# First bytes of compressed files.
_MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
}
_MAGIC_SIZE = 10
_LINES_BETWEEN_REPORTS = 200
_BLOCK = 1 << 20
# zstd expands 4 bytes to at most 128 KiB: 4 KiB to at most 128 MiB.
_ZSTD_BLOCK = 1 << 12


def find_files(patterns: str | Path | Sequence[str | Path]) -> list[Path]:
    """Returns the files that paths and glob patterns match, without repeats.

    The matches of each pattern are sorted. A path that exists is taken as it
    is, even if it contains `[`, `*` or `?`. Links to directories are followed,
    and files that are reached in several ways are listed once.

    Args:
        patterns: A path or pattern, or a list of them. A directory stands for
            all files below it, except hidden ones.

    Raises:
        ValueError: If a pattern matches no file, or a file is empty.
    """
    if isinstance(patterns, (str, Path)):
        patterns = [patterns]
    resolve = functools.lru_cache(os.path.realpath)
    files: dict[tuple[str, str], str] = {}
    for pattern in patterns:
        matches = matching_files(pattern)
        if not matches:
            raise ValueError(
                f"No file matches {str(pattern)!r}. Pass text files or a "
                "directory of them: JSON lines or Parquet with a `text` "
                "field, Wikipedia dumps in XML, or plain text. Each may be "
                "compressed by gzip, bzip2, xz or zstd."
            )
        for path in matches:
            directory, name = os.path.split(path)
            files.setdefault((resolve(directory or os.curdir), name), path)
    for path in files.values():
        if not os.stat(path).st_size:
            raise ValueError(f"{path} is empty. Leave it out or fill it.")
    return [Path(path) for path in files.values()]


def _compression_of_bytes(head):
    for name, magic in _MAGIC.items():
        if magic.match(head):
            return name
    return ""


def read_byte_lines(
    path: str | Path,
    begin: int = 0,
    on_bytes: Callable[[int], None] = lambda count: None,
    line_limit: int | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Yields the decompressed lines of a file as bytes.

    Args:
        path: A file, compressed or not.
        begin: Position in bytes to start at; 0 for compressed files.
        on_bytes: Called with the number of bytes read since its last call.
        line_limit: Longer lines come in parts, which end after a space where
            there is one. Where a part ends depends only on where it starts.
            Successive blank lines may come as one.

    Yields:
        (position, line): where the line starts in the decompressed text.

    Raises:
        ValueError: If a compressed file is damaged or truncated.
    """
    with open(path, "rb") as raw:
        compression = _compression_of_bytes(raw.read(_MAGIC_SIZE))
        raw.seek(begin)
        file = _open_decompressed(raw, compression)
        lines = _lines(file, line_limit) if line_limit else iter(file)
        if compression:
            lines = _with_named_errors(path, compression, lines)
        position = reported = begin
        try:
            for number, line in enumerate(lines, 1):
                start, position = position, position + len(line)
                yield start, line
                if number % _LINES_BETWEEN_REPORTS == 0:
                    reached = raw.tell() if compression else position
                    on_bytes(reached - reported)
                    reported = reached
        finally:  # also when the caller stops early
            on_bytes((raw.tell() if compression else position) - reported)


def _open_decompressed(raw: IO[bytes], compression: str) -> IO[bytes]:
    """Returns a buffered file of the decompressed content of `raw`."""
    if compression == "gzip":
        return io.BufferedReader(gzip.GzipFile(fileobj=raw))
    if compression == "bzip2":
        return io.BufferedReader(bz2.BZ2File(raw))
    if compression == "xz":
        return io.BufferedReader(lzma.LZMAFile(raw))
    if compression == "zstd":
        blocks = decompress_streams(
            raw, 0, _zstandard().ZstdDecompressor().decompressobj, _ZSTD_BLOCK
        )
        return io.BufferedReader(_BlockReader(data for _, data in blocks))
    return raw


def read_head(path: str | Path, size: int) -> tuple[str, bytes]:
    """Reads the start of a file.

    Damage is not reported here, but by whoever reads the file.

    Returns:
        The file's compression ("gzip", "bzip2", "xz", "zstd" or ""), and at
        most `size` bytes of its content.
    """
    with open(path, "rb") as raw:
        head = raw.read(size)
        compression = _compression_of_bytes(head)
        if not compression:
            return compression, head
        raw.seek(0)
        head = b""
        try:
            file = _open_decompressed(raw, compression)
            while len(head) < size and (
                block := file.read1(size - len(head))  # type: ignore
            ):
                head += block
        except _decompression_errors(compression):
            pass
        return compression, head


def _decompression_errors(compression):
    """Returns the exceptions of a decompressor."""
    errors: tuple = (EOFError, OSError, zlib.error, lzma.LZMAError)
    if compression == "zstd":
        errors += (_zstandard().ZstdError,)
    return errors


def decompress_streams(
    file: IO[bytes],
    position: int,
    new_decompressor: Callable[[], Any],
    block_size: int = _BLOCK,
) -> Iterator[tuple[int, bytes]]:
    """Decompresses the concatenated streams of a file.

    Args:
        file: A binary file, positioned at the start of a stream.
        position: That position.
        new_decompressor: Returns an object with `decompress`, `eof` and
            `unused_data`.
        block_size: Compressed bytes to decompress at once.

    Yields:
        (position, data): where the stream starts, and a block of its text.

    Raises:
        EOFError: If the last stream is incomplete.
    """
    decompressor, unused = new_decompressor(), b""
    while block := unused or file.read(block_size):
        yield position, decompressor.decompress(block)
        unused = b""
        if decompressor.eof:
            unused = decompressor.unused_data
            position = file.tell() - len(unused)
            decompressor = new_decompressor()
    if file.tell() > position:
        raise EOFError("the last stream has no end")


def split_stream_lines(
    blocks: Iterable[tuple[int, bytes]],
) -> Iterator[tuple[int, bytes]]:
    """Splits the blocks of `decompress_streams` into lines.

    Yields:
        (position, line): where the stream of the line's first byte starts.
    """
    rest: list[bytes] = []
    begin = 0
    for position, data in blocks:
        *lines, last = data.split(b"\n")
        for line in lines:
            yield begin if rest else position, b"".join([*rest, line, b"\n"])
            rest = []
        if last and not rest:
            begin = position
        if last:
            rest.append(last)
    if rest:
        yield begin, b"".join(rest)


def damaged_file_error(
    path: str | Path, place: str, error: Exception
) -> ValueError:
    """Returns the error for a file that cannot be decompressed."""
    return ValueError(
        f"{path} is damaged or truncated after {place}: {error}. Download or "
        "compress it again, or leave it out."
    )


class _BlockReader(io.RawIOBase):
    """A file that consists of an iterator's blocks of bytes."""

    def __init__(self, blocks):
        self._blocks = blocks
        self._block = memoryview(b"")

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._block = memoryview(block)
        size = min(len(buffer), len(self._block))
        buffer[:size] = self._block[:size]
        self._block = self._block[size:]
        return size


def _lines(file, limit):
    """Yields lines; those longer than `limit` bytes in parts."""
    for line in iter(functools.partial(file.readline, limit), b""):
        while len(line) == limit and not line.endswith(b"\n"):
            end = _part_end(line)
            yield line[:end]
            line = line[end:] + file.readline(limit - len(line) + end)
        if line:
            yield line
        if line in (b"\n", b"\r\n"):
            yield from _blank_lines(file)


def _blank_lines(file):
    """Yields the blank lines that follow, as blocks of many."""
    while data := file.peek(1):
        text = data.lstrip()
        size = len(data) - len(text)
        if text:
            size = data.rfind(b"\n", 0, size) + 1
        if size:
            yield file.read(size)
        if text or not size:
            return


def _part_end(line):
    """Where to cut a long line: after a space, or between characters."""
    end = line.rfind(b" ", len(line) // 2) + 1
    if end:
        return end
    end = len(line) - 1
    while end > len(line) - 4 and line[end] & 0xC0 == 0x80:
        end -= 1  # inside a character
    return end


def _zstandard():
    try:
        import zstandard
    except ImportError as error:
        raise ValueError(
            "Reading .zst files needs zstandard: pip install zstandard."
        ) from error
    return zstandard


def _with_named_errors(path, compression, lines):
    """Yields the lines; decompression errors name the file and the line."""
    number = 0
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007
            yield line
    except _decompression_errors(compression) as error:
        raise damaged_file_error(path, f"line {number:,}", error) from error
