"""Reads JSON lines: each line is a document, the string under `text`."""

from collections.abc import Callable, Iterator

from albert_keras.data.reading.compressed_files import COMPRESSIONS
from albert_keras.data.reading.file_chunk import (
    FileChunk,
    byte_chunks,
    count_lines,
    end_offset,
    lines_from,
)
from albert_keras.data.reading.unreadable_text import BadText
from albert_keras.files.strict_json import parse_json

chunks = byte_chunks


def records(
    chunk: FileChunk, on_bytes: Callable[[int], None], bad_text: BadText
) -> Iterator[tuple]:
    """Yields the lines that start in a chunk, with their location."""
    end = end_offset(chunk)
    for number, (position, line) in enumerate(lines_from(chunk, on_bytes), 1):
        if end is not None and position >= end:
            break
        if not line.isspace():
            yield chunk.path, position, number, line


def paragraphs(record: tuple, bad_text: BadText) -> list[str]:
    """Returns the lines of a document's text; empty if it is skipped."""
    path, position, number, line = record
    try:
        return parse_json(line.decode("utf-8-sig"))["text"].split("\n")
    except UnicodeDecodeError as error:
        bad_text.report_line(path, _line_number(record, bad_text), error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        bad_text.report(
            f"{path}, line {_line_number(record, bad_text)}: expected a JSON "
            f'object with a string under "text", got {line[:80]!r} '
            f"({error!r}). Correct or remove the line.",
            error,
        )
    return []


def _line_number(record, bad_text):
    """The line's number in the file; counting reads the file up to it."""
    path, position, number, _ = record
    if bad_text.skip or path.endswith(COMPRESSIONS):
        return number  # not shown, or the file was read from its start
    return count_lines(path, position) + 1
