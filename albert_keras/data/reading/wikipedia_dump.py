"""XML dumps of Wikipedia: an article is a document.

Dumps of many bzip2 streams (`-multistream.xml.bz2`) are shared out by stream.
The wiki's markup is read by mwparserfromhell: running text and headings stay;
templates, tables, references, pictures and redirects are left out.
"""

import bz2
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from albert_keras.data.reading.compressed_files import (
    damage,
    lines_of_frames,
    read_frames,
)
from albert_keras.data.reading.file_chunk import (
    FileChunk,
    byte_chunks,
    end_offset,
    lines_from,
)
from albert_keras.data.reading.unreadable_text import BadText

_PACKED_WHOLE = (".gz", ".zst")
_STREAM_BEGIN = re.compile(rb"BZh[1-9]1AY&SY")
_BLOCK = 1 << 20
_LEFT_OUT_TAGS = frozenset(
    "ref table gallery math chem score timeline syntaxhighlight source".split()
)
_HEADING = re.compile(r"^=+\s*(.*?)\s*=+$")
_EMPTY_BRACKETS = re.compile(r"\s?\([\s,;:]*\)")
_MARKUP_LINE = re.compile(r"^([*#:;|!{}]|\s*$)")


def chunks(path: str | Path, size: int | None) -> list[FileChunk]:
    """Runs of bytes; a stream or page belongs to where it begins."""
    return byte_chunks(path, size, undivided=_PACKED_WHOLE)


def records(
    chunk: FileChunk, on_bytes: Callable[[int], None], bad_text: BadText
) -> Iterator[tuple]:
    """The articles that begin in a chunk, as XML with their line."""
    end: int | None
    if _is_bzip2(chunk.path):
        lines, end = _lines_of_streams(chunk, on_bytes), chunk.end
    else:
        lines, end = lines_from(chunk, on_bytes), end_offset(chunk)
    page: list[bytes] | None = None
    for number, (position, line) in enumerate(lines, 1):
        stripped = line.strip()
        if stripped == b"<page>":
            if end is not None and position >= end:
                break
            page = []
        if page is not None:
            page.append(line)
            if stripped == b"</page>":
                yield chunk.path, number, b"".join(page)
                page = None


def paragraphs(record: tuple, bad_text: BadText) -> list[str]:
    """The lines of an article's text; none where it has none."""
    path, number, xml = record
    try:
        page = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        bad_text.report(
            f"{path}: the page that ends {number:,} lines behind the "
            f"beginning of its chunk is no XML: {error}. Fetch the dump "
            "again.",
            error,
        )
        return []
    if page.findtext("ns") != "0" or page.find("redirect") is not None:
        return []
    text = page.findtext("revision/text")
    title = page.findtext("title") or ""
    return [title, *running_text(text)] if text else []


def running_text(wikitext: str) -> list[str]:
    """The paragraphs and headings of a page's markup."""
    code = _parser().parse(wikitext)
    for node in code.filter(recursive=False):
        if _is_left_out(node):
            code.remove(node)
    lines = code.strip_code(normalize=True, collapse=True).split("\n")
    texts = []
    for line in lines:
        if not _MARKUP_LINE.match(line):
            line = _EMPTY_BRACKETS.sub("", _HEADING.sub(r"\1", line.strip()))
            texts.append(line)
    return texts


def _is_left_out(node):
    nodes = _parser().nodes
    if isinstance(node, nodes.Template):
        return True
    if isinstance(node, nodes.Tag):
        return str(node.tag).strip().lower() in _LEFT_OUT_TAGS
    # Files and categories; a link with a colon in front is shown as text.
    return isinstance(node, nodes.Wikilink) and bool(
        re.match(r"\s*[^\W\d_]+\s*:\S", str(node.title))
    )


def _parser():
    try:
        import mwparserfromhell
    except ImportError as error:
        raise ValueError(
            "Reading dumps of Wikipedia needs mwparserfromhell: "
            "pip install mwparserfromhell."
        ) from error
    return mwparserfromhell


def _lines_of_streams(chunk, on_bytes):
    """Lines of the streams that begin in a chunk, and those behind it.

    Each comes with the position at which the stream of its first byte begins.
    """
    try:
        with open(chunk.path, "rb") as file:
            position = _find_stream(file, chunk)
            if position is None:
                return
            file.seek(position)
            frames = read_frames(file, position, bz2.BZ2Decompressor)
            yield from lines_of_frames(frames)
    except (EOFError, OSError) as error:
        raise damage(chunk.path, f"byte {chunk.start:,}", error) from error
    finally:
        on_bytes(chunk.end - chunk.start)


def _is_bzip2(path):
    return Path(path).suffix == ".bz2"


def _find_stream(file, chunk):
    """Where the first stream of a chunk begins; None without one."""
    file.seek(chunk.start)
    place, kept = chunk.start, b""
    while place < chunk.end + 9 and (block := file.read(_BLOCK)):
        found = _STREAM_BEGIN.search(kept + block)
        if found:
            begin = place - len(kept) + found.start()
            return begin if begin < chunk.end else None
        place += len(block)
        kept = (kept + block)[-9:]
    return None
