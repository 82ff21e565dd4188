"""Plain text: a line is a paragraph, a blank line ends a document."""

import re
from pathlib import Path

from albert_keras.data.reading.compressed_files import read_byte_lines
from albert_keras.data.reading.file_chunk import (
    byte_chunks,
    count_lines,
    end_offset,
)

chunks = byte_chunks
_HEADING_END = re.compile(r"[.!?:;,\"'”’)\]]\s*$")


def records(chunk, on_bytes, bad_text):
    """The documents that begin in a chunk, as lists of paragraphs."""
    begin = document_begin(chunk.path, chunk.start)
    end = end_offset(chunk)
    if end is not None:
        end = document_begin(chunk.path, end)
    lines = _decoded(chunk.path, begin, end, on_bytes, bad_text)
    return _join_headings(_blocks(lines))


def paragraphs(record, bad_text):
    return record


def document_begin(path: str | Path, position: int) -> int:
    """Where the first document at or behind a position begins.

    A document may begin behind a blank line, if what is before it is no
    heading: that belongs to the document that follows.
    """
    if position == 0:
        return 0
    block = None  # from the position to a blank line is who knows what
    lines = read_byte_lines(path, position - 1)
    next(lines)  # the rest of a line
    end = position
    for place, line in lines:
        end = place + len(line)
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            continue  # whoever reads it says so
        if text:
            if block is not None:
                block.append(text)
        elif block and not _is_heading(block):
            return end
        else:
            block = []
    return end


def _decoded(path, begin, end, on_bytes, bad_text):
    lines = read_byte_lines(path, begin, on_bytes)
    for number, (position, line) in enumerate(lines, 1):
        if end is not None and position >= end:
            break
        try:
            yield line.decode("utf-8-sig" if position == 0 else "utf-8")
        except UnicodeDecodeError as error:
            if not bad_text.skip:
                number += count_lines(path, begin)
            bad_text.report_line(path, number, error)


def _blocks(lines):
    block = []
    for line in lines:
        line = line.strip()
        if line:
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _join_headings(blocks):
    headings = []
    for block in blocks:
        if _is_heading(block):
            headings += block
        else:
            yield headings + block
            headings = []
    if headings:
        yield headings


def _is_heading(block):
    return len(block) == 1 and not _HEADING_END.search(block[0])
