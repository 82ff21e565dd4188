"""Reads text files from elsewhere, with or without a byte order mark."""

import codecs
import re
from pathlib import Path

UTF8_MARK = codecs.BOM_UTF8
_UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SURROGATES = re.compile("[\ud800-\udfff]")


def read_text(path: str | Path) -> str:
    """Reads a UTF-8 file, without the byte order mark it may have.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not UTF-8 text; names the file, and for UTF-16
            the remedy.
    """
    data = Path(path).read_bytes()
    message = utf16_message(path, data)
    if message:
        raise ValueError(message)
    try:
        text = data.removeprefix(UTF8_MARK).decode()
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8_message(path, str(error))) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def not_utf8_message(path: str | Path, problem: str) -> str:
    """Returns the error message for a file that is not UTF-8 text."""
    return (
        f"{path} is not UTF-8 text: {problem}. Convert it first: iconv -f "
        f"latin1 -t utf-8 {path}."
    )


def utf16_message(path: str | Path, head: bytes) -> str | None:
    """Returns the error message for a file in UTF-16 or UTF-32, or None.

    Args:
        path: The file.
        head: Its first bytes.
    """
    encoding = wide_encoding(head)
    if encoding is None:
        return None
    return (
        f"{path} is {encoding.upper()} text. Expected UTF-8. Convert it "
        f"first: iconv -f {encoding} -t utf-8 {path}."
    )


def has_surrogates(text: str) -> bool:
    """Whether a text has halves of surrogate pairs, or undecoded bytes."""
    return _SURROGATES.search(text) is not None


def wide_encoding(head: bytes) -> str | None:
    """Returns the name of UTF-16 or UTF-32 if a file is in it, or None.

    Args:
        head: The first bytes of the file.
    """
    if head.startswith(_UTF32_MARKS):
        return "utf-32"
    if head.startswith(_UTF16_MARKS):
        return "utf-16"
    encoding = None  # no mark, but every other byte is 0
    for name, first in (("utf-16le", 1), ("utf-16be", 0)):
        half = head[first : 1 << 12 : 2]
        if len(half) > 3 and half.count(0) > 0.8 * len(half):
            if head[1 - first : 1 << 12 : 2].count(0) < 0.2 * len(half):
                encoding = name
    return encoding
