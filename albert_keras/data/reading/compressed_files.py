"""Finds text files by pattern and reads their lines, compressed or not."""

import bz2
import glob
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

COMPRESSIONS = (".gz", ".bz2", ".zst")
_LINES_BETWEEN_REPORTS = 200
_BLOCK = 1 << 20


def find_files(patterns: str | Path | Sequence[str | Path]) -> list[Path]:
    """Returns the files that paths and glob patterns match, without repeats.

    The matches of each pattern are sorted.

    Args:
        patterns: A path or pattern, or a list of them. A directory stands for
            all files below it, except hidden ones.

    Raises:
        ValueError: If a pattern matches no file, or a file is empty.
    """
    files = []
    if isinstance(patterns, (str, Path)):
        patterns = [patterns]
    for pattern in patterns:
        matches = sorted(_matches(str(pattern)))
        if not matches:
            raise ValueError(
                f"No file matches {str(pattern)!r}. Pass text files or a "
                "directory of them: `.jsonl` and `.parquet` with a `text` "
                "field, or Wikipedia dumps in `.xml`; anything else is read "
                "as plain text. Each may be compressed as `.gz`, `.bz2` or "
                "`.zst`."
            )
        files.extend(Path(match) for match in matches)
    files = list(dict.fromkeys(files))
    for path in files:
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty. Leave it out or fill it.")
    return files


def _matches(pattern):
    for match in map(Path, glob.glob(pattern, recursive=True)):
        if match.is_file():
            yield match
        elif match.is_dir():
            for path in match.rglob("*"):
                hidden = any(
                    part.startswith(".")
                    for part in path.relative_to(match).parts
                )
                if path.is_file() and not hidden:
                    yield path


def format_suffix(path: str | Path) -> str:
    """The suffix of the file's format, without that of its compression."""
    path = Path(path)
    if path.suffix in COMPRESSIONS:
        path = path.with_suffix("")
    return path.suffix.lower()


def read_byte_lines(
    path: str | Path,
    begin: int = 0,
    on_bytes: Callable[[int], None] = lambda count: None,
) -> Iterator[tuple[int, bytes]]:
    """Yields the decompressed lines of a file as bytes.

    Args:
        path: A file; its suffix tells whether it is compressed.
        begin: Position in bytes to start at; 0 for compressed files.
        on_bytes: Called with the number of bytes read since its last call.

    Yields:
        (position, line): where the line starts in the decompressed text.

    Raises:
        ValueError: If a compressed file is damaged or truncated.
    """
    path = Path(path)
    with path.open("rb") as raw:
        if begin:
            raw.seek(begin)
        is_compressed = path.suffix in COMPRESSIONS
        lines = _with_named_errors(path, _decompressed_lines(path, raw))
        position = reported = begin
        try:
            for number, line in enumerate(lines, 1):
                start, position = position, position + len(line)
                yield start, line
                if number % _LINES_BETWEEN_REPORTS == 0:
                    reached = raw.tell() if is_compressed else position
                    on_bytes(reached - reported)
                    reported = reached
        finally:  # also when the caller stops early
            on_bytes((raw.tell() if is_compressed else position) - reported)


def decompress_streams(
    file: IO[bytes], position: int, new_decompressor: Callable[[], Any]
) -> Iterator[tuple[int, bytes]]:
    """Decompresses the concatenated streams of a file.

    Args:
        file: A binary file, positioned at the start of a stream.
        position: That position.
        new_decompressor: Returns an object with `decompress`, `eof` and
            `unused_data`.

    Yields:
        (position, data): where the stream starts, and a block of its text.

    Raises:
        EOFError: If the last stream is incomplete.
    """
    decompressor, unused = new_decompressor(), b""
    while block := unused or file.read(_BLOCK):
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
    rest, begin = b"", 0
    for position, data in blocks:
        *lines, last = data.split(b"\n")
        for line in lines:
            yield begin if rest else position, rest + line + b"\n"
            rest = b""
        if last and not rest:
            begin = position
        rest += last
    if rest:
        yield begin, rest


def damaged_file_error(
    path: str | Path, place: str, error: Exception
) -> ValueError:
    """Returns the error for a file that cannot be decompressed."""
    return ValueError(
        f"{path} is damaged or truncated after {place}: {error}. Download or "
        "compress it again, or leave it out."
    )


def _decompressed_lines(path, raw):
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=raw)
    if path.suffix == ".bz2":
        return bz2.BZ2File(raw)
    if path.suffix == ".zst":
        new_decompressor = _zstandard().ZstdDecompressor().decompressobj
        blocks = decompress_streams(raw, 0, new_decompressor)
        return (line for _, line in split_stream_lines(blocks))
    return raw


def _zstandard():
    try:
        import zstandard
    except ImportError as error:
        raise ValueError(
            "Reading .zst files needs zstandard: pip install zstandard."
        ) from error
    return zstandard


def _with_named_errors(path, lines):
    """Yields the lines; decompression errors name the file and the line."""
    if path.suffix not in COMPRESSIONS:
        yield from lines
        return
    errors: tuple = (EOFError, OSError, zlib.error)
    if path.suffix == ".zst":
        errors = (EOFError, _zstandard().ZstdError)
    number = 0
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007
            yield line
    except errors as error:
        raise damaged_file_error(path, f"line {number:,}", error) from error
