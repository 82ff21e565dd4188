"""Files of text: found by patterns, opened whatever they are packed with."""

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
    """The files that paths and glob patterns name, sorted, each once.

    Args:
        patterns: A path or pattern, or a list of them. A directory stands for
            all files below it but hidden ones.

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
                "field, `.xml` dumps of Wikipedia, anything else is read as "
                "plain text; each also as `.gz`, `.bz2` or `.zst`."
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
    """The suffix that tells the format, that of the packing left out."""
    path = Path(path)
    if path.suffix in COMPRESSIONS:
        path = path.with_suffix("")
    return path.suffix.lower()


def read_byte_lines(
    path: str | Path,
    begin: int = 0,
    on_bytes: Callable[[int], None] = lambda count: None,
) -> Iterator[tuple[int, bytes]]:
    """The lines of a file as bytes, unpacked.

    Args:
        path: A file; packed ones by their suffix.
        begin: Where to begin, in bytes; packed files only at 0.
        on_bytes: Called with numbers of bytes of the file that were read.

    Yields:
        (position, line): where the line begins in the unpacked text.

    Raises:
        ValueError: If a packed file is damaged or cut short.
    """
    path = Path(path)
    with path.open("rb") as raw:
        if begin:
            raw.seek(begin)
        is_packed = path.suffix in COMPRESSIONS
        lines = _checked(path, _unpacked_lines(path, raw))
        position = reported = begin
        try:
            for number, line in enumerate(lines, 1):
                start, position = position, position + len(line)
                yield start, line
                if number % _LINES_BETWEEN_REPORTS == 0:
                    reached = raw.tell() if is_packed else position
                    on_bytes(reached - reported)
                    reported = reached
        finally:  # also where the reader has had enough
            on_bytes((raw.tell() if is_packed else position) - reported)


def read_frames(
    file: IO[bytes], position: int, new_unpacker: Callable[[], Any]
) -> Iterator[tuple[int, bytes]]:
    """Unpacks streams that follow one another in a file.

    Args:
        file: A binary file, at the beginning of a stream.
        position: Where that is.
        new_unpacker: Gives an object with `decompress`, `eof` and
            `unused_data`.

    Yields:
        (position, data): where the stream begins, and some of its text.

    Raises:
        EOFError: If the last stream has no end.
    """
    unpacker, held = new_unpacker(), b""
    while block := held or file.read(_BLOCK):
        yield position, unpacker.decompress(block)
        held = b""
        if unpacker.eof:
            held = unpacker.unused_data
            position = file.tell() - len(held)
            unpacker = new_unpacker()
    if file.tell() > position:
        raise EOFError("the last stream has no end")


def lines_of_frames(
    frames: Iterable[tuple[int, bytes]],
) -> Iterator[tuple[int, bytes]]:
    """(where the stream of its first byte begins, line), from blocks."""
    rest, begin = b"", 0
    for position, data in frames:
        *lines, last = data.split(b"\n")
        for line in lines:
            yield begin if rest else position, rest + line + b"\n"
            rest = b""
        if last and not rest:
            begin = position
        rest += last
    if rest:
        yield begin, rest


def damage(path: str | Path, place: str, error: Exception) -> ValueError:
    """The error for a packed file that cannot be unpacked."""
    return ValueError(
        f"{path} is damaged or cut short behind {place}: {error}. Fetch or "
        "pack it again, or leave it out."
    )


def _unpacked_lines(path, raw):
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=raw)
    if path.suffix == ".bz2":
        return bz2.BZ2File(raw)
    if path.suffix == ".zst":
        new_unpacker = _zstandard().ZstdDecompressor().decompressobj
        frames = read_frames(raw, 0, new_unpacker)
        return (line for _, line in lines_of_frames(frames))
    return raw


def _zstandard():
    try:
        import zstandard
    except ImportError as error:
        raise ValueError(
            "Reading .zst files needs zstandard: pip install zstandard."
        ) from error
    return zstandard


def _checked(path, lines):
    """The lines, with a message where the packing is broken."""
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
        raise damage(path, f"line {number:,}", error) from error
