"""Reads JSON lines: each line is a document, a string of its object."""

from collections.abc import Callable, Iterator

from albert_keras.data.reading.file_chunk import (
    FileChunk,
    byte_chunks,
    count_lines,
    end_offset,
    lines_from,
)
from albert_keras.data.reading.unreadable_text import BadText
from albert_keras.data.reading.utf8_lines import UTF8_MARK, decode_line
from albert_keras.files.strict_json import parse_json


def chunks(
    whole: FileChunk, size: int | None, text_field: str
) -> list[FileChunk]:
    """Splits a file by bytes; a line belongs to the chunk it starts in."""
    return byte_chunks(whole, size)


def records(
    chunk: FileChunk,
    on_bytes: Callable[[int], None],
    bad_text: BadText,
    text_field: str,
) -> Iterator[tuple]:
    """Yields the lines that start in a chunk, with their location."""
    end = end_offset(chunk)
    for number, (position, line) in enumerate(lines_from(chunk, on_bytes), 1):
        if end is not None and position >= end:
            break
        if line.removeprefix(UTF8_MARK).strip():
            yield chunk, position, number, line


def paragraphs(record: tuple, bad_text: BadText, text_field: str) -> list[str]:
    """Returns the lines of a document's text; empty if it is skipped."""
    chunk, _, _, line = record
    row = None
    try:
        row = parse_json(decode_line(line))
        return row[text_field].split("\n")
    except UnicodeDecodeError as error:
        number = _line_number(record, bad_text)
        bad_text.report_line(chunk.path, number, error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Correct or remove the line."
        if isinstance(row, dict) and text_field not in row and row:
            remedy = (
                "Pass the name of another field as `text_field`, or correct "
                f"the line. It has {', '.join(map(repr, row)):.300}."
            )
        bad_text.report(
            f"{chunk.path}, line {_line_number(record, bad_text)}: expected a "
            f'JSON object with a string under "{text_field}", got '
            f"{line[:80]!r} ({error!r:.200}). {remedy}",
            error,
        )
    return []


def _line_number(record, bad_text):
    """The line's number in the file; counting reads the file up to it."""
    chunk, position, number, _ = record
    if bad_text.skip or chunk.compression:
        return number  # not shown, or the file was read from its start
    return count_lines(chunk.path, position) + 1
