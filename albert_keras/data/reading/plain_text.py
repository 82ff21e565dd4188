"""Reads plain text: a line is a paragraph, a blank line ends a document.

A heading belongs to the document after it. A line is a heading only if blank
lines or the ends of the file surround it, and one of these holds:

- It is marked as in WikiText: `= Title =`, `= = Section = =`. At most
  `MAX_HEADINGS` of these in a row are headings of the text after them, those
  nearest to it.
- It is short, begins with no lowercase letter and ends without punctuation,
  and the text up to the next blank line has two or more lines, is at least
  twice as long, shares its script and ends a line with punctuation.

So documents of one line are never joined into each other.

Text without a blank line is cut into documents of at most `DOCUMENT_LIMIT`
bytes at line ends, and a line that is longer after spaces, so that the memory
of a process is bounded. The cuts depend only on the text, not on the chunks or
the number of processes.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from albert_keras.data.reading.compressed_files import read_byte_lines
from albert_keras.data.reading.file_chunk import FileChunk, count_lines
from albert_keras.data.reading.unreadable_text import BadText
from albert_keras.data.reading.utf8_lines import decode_line

DOCUMENT_LIMIT = 1 << 20  # bytes
MAX_HEADINGS = 6  # the levels of MediaWiki
_MARKED_HEADING = re.compile(r"=[= ]*[^= ].{0,200}=")
_MAX_HEADING = 80  # characters of a heading without marks
_EVIDENCE_LINES = 32  # lines after a heading to look at
_BLANK_LINE = re.compile(rb"\n[ \t\r\f\v]*\n")
_LOOK_BACK = (1 << 16, DOCUMENT_LIMIT)  # bytes to search for a blank line


def chunks(
    whole: FileChunk, size: int | None, text_field: str
) -> list[FileChunk]:
    """Splits a file into chunks of about `size` bytes, between documents."""
    if size is None or whole.compression:
        return [whole]
    starts = [0]
    while starts[-1] + size < whole.end:
        start = _next_document(whole.path, starts[-1] + size, starts[-1])
        if start is None:
            break
        starts.append(start)
    ends = [*starts[1:], whole.end]
    return [
        dataclasses.replace(whole, start=start, end=end)
        for start, end in zip(starts, ends, strict=True)
    ]


def records(
    chunk: FileChunk,
    on_bytes: Callable[[int], None],
    bad_text: BadText,
    text_field: str,
) -> Iterator[list[str]]:
    """Yields the documents of a chunk, as lists of paragraphs."""

    def on_bad_line(number, error):
        if not bad_text.skip and chunk.start:
            number += count_lines(chunk.path, chunk.start)
        bad_text.report_line(chunk.path, number, error)

    end = None if chunk.compression else chunk.end
    lines = _decoded(chunk.path, chunk.start, end, on_bytes, on_bad_line)
    blocks = _blocks(lines, lambda: bad_text.report_cut(chunk.path))
    for _, document in _documents(blocks):
        yield document


def paragraphs(
    record: list[str], bad_text: BadText, text_field: str
) -> list[str]:
    """Returns the paragraphs of a document."""
    return record


def _next_document(path, position, start):
    """Finds the first document at or after a position; None if none follows.

    Args:
        path: A file that is not compressed.
        position: In bytes.
        start: Where an earlier document starts.
    """
    lines = _decoded(path, _block_before(path, position, start))
    for found, _ in _documents(_blocks(lines)):
        if found >= position:
            return found
    return None


def _block_before(path, position, start):
    """Returns where to start reading to find the documents after a position.

    A document may start with a heading, so the block before the position must
    be read, too: the result is the end of a nearby blank line that such a
    block follows, else `start`.
    """
    with open(path, "rb") as file:
        for distance in _LOOK_BACK:
            begin = position - distance
            if begin <= start:
                break
            file.seek(begin)
            data = file.read(distance)
            blank = _BLANK_LINE.search(data)
            if blank and any(
                _decoded_or_blank(line).strip()
                for line in data[blank.end() :].split(b"\n")
            ):
                return begin + blank.end()
    return start


def _decoded_or_blank(line):
    try:
        return decode_line(line)
    except UnicodeDecodeError:
        return ""


def _decoded(
    path,
    start,
    end=None,
    on_bytes=lambda count: None,
    on_bad_line=lambda number, error: None,
):
    """Yields (start, end, line); leaves out lines that are not UTF-8."""
    number = 1
    lines = read_byte_lines(path, start, on_bytes, DOCUMENT_LIMIT)
    for position, line in lines:
        if end is not None and position >= end:
            break
        try:
            yield position, position + len(line), decode_line(line)
        except UnicodeDecodeError as error:
            on_bad_line(number, error)
        number += line.count(b"\n")


def _blocks(
    lines: Iterable[tuple[int, int, str]], on_cut: Callable = lambda: None
) -> Iterator[tuple[int, list[str]]]:
    """Yields (position, lines) of the text between blank lines.

    Cuts text of more than `DOCUMENT_LIMIT` bytes; calls `on_cut` each time.

    Args:
        lines: (start, end, line), with positions in bytes.
        on_cut: A function.
    """
    start, block = 0, []
    for position, end, line in lines:
        line = line.strip()
        if line and not block:
            start, block = position, [line]
        elif line and end - start <= DOCUMENT_LIMIT:
            block.append(line)
        elif block:
            if line:
                on_cut()
            yield start, block
            start, block = position, [line] if line else []
    if block:
        yield start, block


def _documents(
    blocks: Iterable[tuple[int, list[str]]],
) -> Iterator[tuple[int, list[str]]]:
    """Yields (position, paragraphs): blocks with the headings before them.

    Where a document starts depends only on the block before and on those
    after it, so that reading may begin at any block.
    """
    headings: list[tuple[int, str]] = []  # marked ones
    short: tuple[int, str] | None = None  # a line that may be a heading
    for position, block in blocks:
        if short is not None and not _is_heading_of(short[1], block):
            yield _joined(headings, *short)
            headings, short = [], None
        if short is None and len(block) == 1 and _is_marked(block[0]):
            headings.append((position, block[0]))
            if len(headings) > MAX_HEADINGS:
                yield _joined([], *headings.pop(0))
        elif short is None and len(block) == 1 and _may_be_heading(block[0]):
            short = position, block[0]
        else:
            if short is not None:
                headings.append(short)
            yield _joined(headings, position, *block)
            headings, short = [], None
    if short is not None:
        yield _joined(headings, *short)
        headings = []
    for position, line in headings:
        yield position, [line]


def _joined(headings, position, *lines):
    if headings:
        position = headings[0][0]
    return position, [*(line for _, line in headings), *lines]


def _is_marked(line):
    return _MARKED_HEADING.fullmatch(line) is not None


def _may_be_heading(line):
    return (
        len(line) <= _MAX_HEADING
        and not _ends_with_punctuation(line)
        and not line[0].islower()
    )


def _is_heading_of(line, block):
    """Whether a line without marks is the heading of the block after it."""
    lines = block[:_EVIDENCE_LINES]
    return (
        len(lines) > 1
        and sum(map(len, lines)) >= 2 * len(line)
        and any(map(_ends_with_punctuation, lines))
        and not _scripts(line).isdisjoint(_scripts("".join(lines)))
    )


def _ends_with_punctuation(line):
    return unicodedata.category(line[-1]).startswith("P")


def _scripts(text):
    """The scripts of the letters in a text, by the names of the letters."""
    return {
        unicodedata.name(letter, "").split(" ")[0].split("-")[0]
        for letter in set(text)
        if letter.isalpha()
    }
