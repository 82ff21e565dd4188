"""Reads the lines of UTF-8 files, with their numbers."""

from collections.abc import Iterator
from pathlib import Path

from albert_keras.files.text_files import (
    UTF8_MARK,
    not_utf8_message,
    utf16_message,
)

_HEAD = 1 << 12  # bytes of content that tell the encoding


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
        message = utf16_message(path, file.read(_HEAD))
        if message:
            raise ValueError(message)
        file.seek(0)
        for number, line in enumerate(file, 1):
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
    return not_utf8_message(path, f"line {number}, {error}")
