"""Reads the lines of UTF-8 files, with their numbers."""

import codecs
from collections.abc import Iterator
from pathlib import Path

UTF8_MARK = codecs.BOM_UTF8
_UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text_lines(
    path: str | Path, remedy: str = "Pass the path of another file."
) -> Iterator[tuple[int, str]]:
    """Yields (number from 1, line without line ending) of a UTF-8 file.

    Lines end at a line feed only, optionally after a carriage return: the
    official data sets contain other Unicode separators within a text. A byte
    order mark is dropped.

    Args:
        path: The file.
        remedy: How to fix a missing file, for the error message.

    Raises:
        ValueError: If the file does not exist or is not UTF-8 text; names
            file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} does not exist. {remedy}")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and (message := utf16_message(path, line)):
                raise ValueError(message)
            try:
                text = decode_line(line)
            except UnicodeDecodeError as error:
                raise ValueError(not_utf8(path, number, error)) from error
            yield number, text.removesuffix("\n").removesuffix("\r")


def decode_line(line: bytes) -> str:
    """Decodes a line of UTF-8, without the byte order mark it may have.

    Files that were joined have one in the middle.
    """
    return line.removeprefix(UTF8_MARK).decode()


def not_utf8(path: str | Path, number: int, error: Exception) -> str:
    """Returns the error message for a line that cannot be decoded."""
    return (
        f"{path} is not UTF-8 text: line {number}, {error}. "
        f"Convert it first: iconv -f latin1 -t utf-8 {path}."
    )


def utf16_message(path: str | Path, head: bytes) -> str | None:
    """Returns the error message for a file in UTF-16 or UTF-32, or None.

    Args:
        path: The file.
        head: Its first bytes.
    """
    encoding = None
    if head.startswith(_UTF32_MARKS):
        encoding = "utf-32"
    elif head.startswith(_UTF16_MARKS):
        encoding = "utf-16"
    else:  # no mark, but every other byte is 0
        for name, first in (("utf-16le", 1), ("utf-16be", 0)):
            half = head[first : 1 << 12 : 2]
            if len(half) > 3 and half.count(0) > 0.8 * len(half):
                if head[1 - first : 1 << 12 : 2].count(0) < 0.2 * len(half):
                    encoding = name
    if encoding is None:
        return None
    return (
        f"{path} is {encoding.upper()} text. Expected UTF-8. Convert it "
        f"first: iconv -f {encoding} -t utf-8 {path}."
    )
