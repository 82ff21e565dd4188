"""Reads Wikipedia's XML dumps: each article is a document.

Multistream dumps (`-multistream.xml.bz2`) are split between their bzip2
streams. mwparserfromhell parses the wiki markup: running text and headings are
kept; templates, tables, references, pictures and redirects are dropped.
"""

import bz2
import dataclasses
import re
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

from albert_keras.data.reading.compressed_files import (
    damaged_file_error,
    decompress_streams,
    split_stream_lines,
)
from albert_keras.data.reading.file_chunk import (
    FileChunk,
    byte_chunks,
    end_offset,
    lines_from,
)
from albert_keras.data.reading.unreadable_text import BadText

_STREAM_START = re.compile(rb"BZh[1-9]1AY&SY")
_BLOCK = 1 << 20
_DROPPED_TAGS = frozenset(
    "ref table gallery math chem score timeline syntaxhighlight source".split()
)
_HEADING = re.compile(r"^=+\s*(.*?)\s*=+$")
_EMPTY_BRACKETS = re.compile(r"\s?\([\s,;:]*\)")
_MARKUP_LINE = re.compile(r"^([*#:;|!{}]|\s*$)")


def chunks(
    whole: FileChunk, size: int | None, text_field: str
) -> list[FileChunk]:
    """Splits a file by bytes; a page belongs to the chunk it starts in."""
    if whole.compression == "bzip2":  # between its streams
        whole = dataclasses.replace(whole, compression="")
        found = byte_chunks(whole, size)
        return [dataclasses.replace(c, compression="bzip2") for c in found]
    return byte_chunks(whole, size)


def records(
    chunk: FileChunk,
    on_bytes: Callable[[int], None],
    bad_text: BadText,
    text_field: str,
) -> Iterator[tuple]:
    """Yields the pages that start in a chunk, as XML with their last line."""
    end: int | None
    if chunk.compression == "bzip2":
        lines, end = _lines_of_streams(chunk, on_bytes), chunk.end
    else:
        lines, end = lines_from(chunk, on_bytes), end_offset(chunk)
    page: list[bytes] | None = None
    for number, (position, line) in enumerate(lines, 1):
        stripped = line.strip()
        is_first = stripped == b"<page>"
        if is_first or page is None:
            if end is not None and position >= end:
                break
        if is_first:
            page = []
        if page is not None:
            page.append(line)
            if stripped == b"</page>":
                yield chunk.path, number, b"".join(page)
                page = None


def paragraphs(record: tuple, bad_text: BadText, text_field: str) -> list[str]:
    """Returns the lines of an article's text; empty for other pages."""
    path, number, xml = record
    try:
        page = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        bad_text.report(
            f"{path}: the page that ends {number:,} lines after the start of "
            f"its chunk is not XML: {error}. Download the dump again.",
            error,
        )
        return []
    if page.findtext("ns") != "0" or page.find("redirect") is not None:
        return []
    text = page.findtext("revision/text")
    title = page.findtext("title") or ""
    return [title, *running_text(text)] if text else []


def running_text(wikitext: str) -> list[str]:
    """Extracts the paragraphs and headings from a page's markup."""
    code = _parser().parse(wikitext)
    for node in code.filter(recursive=False):
        if _is_dropped(node):
            code.remove(node)
    lines = code.strip_code(normalize=True, collapse=True).split("\n")
    texts = []
    for line in lines:
        if not _MARKUP_LINE.match(line):
            line = _EMPTY_BRACKETS.sub("", _HEADING.sub(r"\1", line.strip()))
            texts.append(line)
    return texts


def _is_dropped(node):
    nodes = _parser().nodes
    if isinstance(node, nodes.Template):
        return True
    if isinstance(node, nodes.Tag):
        return str(node.tag).strip().lower() in _DROPPED_TAGS
    # Files and categories; a link with a leading colon is shown as text.
    return isinstance(node, nodes.Wikilink) and bool(
        re.match(r"\s*[^\W\d_]+\s*:\S", str(node.title))
    )


def _parser():
    try:
        import mwparserfromhell
    except ImportError as error:
        raise ValueError(
            "Reading Wikipedia dumps needs mwparserfromhell: "
            "pip install mwparserfromhell."
        ) from error
    return mwparserfromhell


def _lines_of_streams(chunk, on_bytes):
    """Yields the lines from the first stream that starts in a chunk.

    Each comes with the position where the stream of its first byte starts.
    """
    try:
        with open(chunk.path, "rb") as file:
            position = _find_stream(file, chunk)
            if position is None:
                return
            file.seek(position)
            yield from split_stream_lines(
                decompress_streams(file, position, bz2.BZ2Decompressor)
            )
    except (EOFError, OSError) as error:
        raise damaged_file_error(
            chunk.path, f"byte {chunk.start:,}", error
        ) from error
    finally:
        on_bytes(chunk.end - chunk.start)


def _find_stream(file, chunk):
    """Finds where the first stream of a chunk starts; None if there is none."""
    file.seek(chunk.start)
    position, kept = chunk.start, b""
    while position < chunk.end + 9 and (block := file.read(_BLOCK)):
        found = _STREAM_START.search(kept + block)
        if found:
            start = position - len(kept) + found.start()
            return start if start < chunk.end else None
        position += len(block)
        kept = (kept + block)[-9:]
    return None
