"""Reads plain text: a line is a paragraph, a blank line ends a document."""

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
    """Yields the documents that start in a chunk, as lists of paragraphs."""
    start = document_start(chunk.path, chunk.start)
    end = end_offset(chunk)
    if end is not None:
        end = document_start(chunk.path, end)
    lines = _decoded(chunk.path, start, end, on_bytes, bad_text)
    return _join_headings(_blocks(lines))


def paragraphs(record, bad_text):
    return record


def document_start(path: str | Path, position: int) -> int:
    """Finds where the first document at or after a position starts.

    A document starts after a blank line, unless the block before that line is
    a heading: a heading belongs to the document that follows it.
    """
    if position == 0:
        return 0
    block = None  # the position may be inside a block: skip to a blank line
    lines = read_byte_lines(path, position - 1)
    next(lines)  # the rest of the line before
    end = position
    for line_start, line in lines:
        end = line_start + len(line)
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            continue  # reported by the chunk that reads the line
        if text:
            if block is not None:
                block.append(text)
        elif block and not _is_heading(block):
            return end
        else:
            block = []
    return end


def _decoded(path, start, end, on_bytes, bad_text):
    lines = read_byte_lines(path, start, on_bytes)
    for number, (position, line) in enumerate(lines, 1):
        if end is not None and position >= end:
            break
        try:
            yield line.decode("utf-8-sig" if position == 0 else "utf-8")
        except UnicodeDecodeError as error:
            if not bad_text.skip:
                number += count_lines(path, start)
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
