"""Reads CSV and TSV files record by record, with the lines of broken records.

Python's `csv` reads them: of the usual readers only it says on which line a
record begins, and a broken one stops neither it nor the records after it.
"""

import codecs
import collections
import csv
import dataclasses
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from albert_keras.files.text_files import (
    UTF8_MARK,
    has_surrogates,
    wide_encoding,
)

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE = 1 << 22  # bytes that tell the encoding
# A quote that is never closed would make one record of the rest of the file.
_MAX_LINES = 1000
_MAX_CHARACTERS = 1 << 24
_LINES_PER_REPORT = 64
_GUESSED = 1 << 16  # bytes, of lines that are not UTF-8
_WESTERN = "cp1252"


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes:
        encoding: Name of its encoding.
        delimiter: Character between two cells.
        columns: The cells of its first line.
    """

    encoding: str
    delimiter: str
    columns: tuple[str, ...]


def find_dialect(
    path: Path, needed: Sequence[str] = (), encoding: str | None = None
) -> Dialect:
    """Finds out how a file is written, from its beginning.

    Args:
        path: The file.
        needed: Names of columns: the delimiter is the one by which the first
            line has most of them, then the one by which it has most columns.
        encoding: Name of an encoding; None finds out.

    Raises:
        ValueError: If the file has no first line, or the encoding is unknown.
    """
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise ValueError(
                f"`encoding` must be a name such as 'utf-8' or 'cp1252'. "
                f"Received: {encoding!r}."
            ) from error
    encoding = encoding or find_encoding(path)
    found = []
    for delimiter in _DELIMITERS:
        dialect = Dialect(encoding, delimiter, ())
        header = next(_records(path, dialect, lambda count: None), None)
        if header is None or header[2] is not None:
            continue
        columns = tuple(cell.strip() for cell in header[1])
        known = sum(name in columns for name in needed)
        found.append((known, len(columns), delimiter, columns))
    if not found:
        raise ValueError(
            f"{path} has no first line with the names of its columns. Pass a "
            "CSV or TSV file with a header."
        )
    _, count, delimiter, columns = max(found, key=lambda entry: entry[:2])
    if count == 1:
        delimiter = "\t"  # one column: commas belong to the text
    return Dialect(encoding, delimiter, columns)


def find_encoding(path: Path) -> str:
    """Finds the encoding of a file by its beginning.

    It is UTF-8 unless most of the lines with other characters than ASCII are
    not: a file may have some broken lines.
    """
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    if head.startswith(UTF8_MARK):
        return "utf-8-sig"
    if encoding := wide_encoding(head):
        return encoding
    lines = head.split(b"\n")
    if len(head) == _SAMPLE:
        lines.pop()  # may be cut within a character
    others = [line for line in lines if not line.isascii()]
    wrong = [line for line in others if not _is_utf8(line)]
    if 2 * len(wrong) <= len(others):
        return "utf-8"
    from charset_normalizer import from_bytes

    matches = from_bytes(b"\n".join(wrong)[:_GUESSED])
    best = matches.best()
    # Of equal matches, the usual one in Western Europe.
    if best is None or any(
        match.chaos <= best.chaos and _WESTERN in match.could_be_from_charset
        for match in matches
    ):
        return _WESTERN
    return best.encoding


def delimited_rows(
    path: Path,
    dialect: Dialect,
    broken: dict[int, str],
    on_bytes: Callable[[int], None],
) -> Iterator[tuple[int, list[str]]]:
    """Yields (line, cells) of the records after the header.

    Args:
        path: The file.
        dialect: How it is written.
        broken: Gets the reason for each broken record, by the line on which
            it begins. Reading resumes on the line after that.
        on_bytes: Called with the number of bytes read since the last call.
    """
    records = _records(path, dialect, on_bytes)
    next(records, None)
    for line, cells, reason in records:
        if reason is None:
            yield line, cells
        else:
            broken[line] = reason


def _records(path, dialect, on_bytes):
    """Yields (line, cells, reason why the record is broken or None)."""
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CHARACTERS))
    is_wide = dialect.encoding.startswith(("utf-16", "utf-32"))
    errors = "strict" if is_wide else "surrogateescape"
    count, reached = len(dialect.columns), 0
    with (
        path.open("rb") as binary,
        io.TextIOWrapper(
            binary, dialect.encoding, errors=errors, newline=""
        ) as file,
    ):
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        while True:
            lines.record = []
            try:
                cells, reason = next(reader), None
            except StopIteration:
                on_bytes(binary.tell() - reached)
                return
            except csv.Error as error:
                cells, reason = [], str(error)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}, line {lines.number + 1}, is not "
                    f"{dialect.encoding}: {error}. Pass its `encoding`, or "
                    "save the file as UTF-8."
                ) from error
            line = lines.number - len(lines.record) + 1
            if count and (reason or len(cells) != count or lines.record[1:]):
                cells, reason = _mend(cells, reason, lines, dialect)
            if reason is None and has_surrogates("".join(cells)):
                reason = f"not {dialect.encoding}"
            if reason is not None:
                lines.read_again()
            if cells or reason:  # else a blank line
                yield line, cells, reason
            if not line % _LINES_PER_REPORT:
                before, reached = reached, binary.tell()
                on_bytes(reached - before)


class _Lines:
    """Lines of a file for `csv.reader`, which can be read again.

    Attributes:
        number: Number of the last line that was read, from 1.
        record: The lines of the current record.
    """

    def __init__(self, file):
        self._file = file
        self._again = collections.deque()
        self.number = 0
        self.record = []

    def __iter__(self):
        return self

    def __next__(self):
        if len(self.record) == _MAX_LINES:
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._file)
        self.record.append(line)
        self.number += 1
        return line

    def read_again(self):
        """Returns to the line after the first one of the current record."""
        self.record, rest = self.record[:1], self.record[1:]
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)


def _mend(cells, reason, lines, dialect):
    """(cells, reason) of a record that may only be broken for a strict reader.

    Empty cells after the last column are dropped. Between tabs, quotes may be
    part of the text, as in the files of GLUE: a record of several lines that
    each have all cells is one row a line.
    """
    count = len(dialect.columns)
    if reason is None and not cells:
        return [], None  # a blank line
    if reason is None and len(cells) > count and not any(cells[count:]):
        return cells[:count], None
    if dialect.delimiter == "\t" and '"' in lines.record[0]:
        plain = [line.rstrip("\r\n").split("\t") for line in lines.record]
        needed = plain[:1] if reason or len(cells) != count else plain
        if all(len(row) == count for row in needed):
            lines.read_again()
            return plain[0], None
    if reason is None and len(cells) == count:
        return cells, None
    return cells, reason or f"{len(cells)} columns instead of {count}"


def _is_utf8(line):
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
