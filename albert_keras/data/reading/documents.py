"""Reads documents from files: paragraphs by format, then sentences.

A file is read in chunks, so that several processes can share it and an
interrupted run can resume. A document belongs to the chunk in which it
starts: the documents of all chunks, in order, are those of the whole file,
wherever it is split.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from albert_keras.data.reading import (
    json_lines,
    parquet,
    plain_text,
    wikipedia_dump,
)
from albert_keras.data.reading.compressed_files import format_suffix
from albert_keras.data.reading.file_chunk import FileChunk
from albert_keras.data.reading.sentence_splitting import sentence_splitter
from albert_keras.data.reading.unreadable_text import BadText

# Each module has `chunks(path, size)`, `records(chunk, on_bytes, bad_text)`
# and `paragraphs(record, bad_text)`. `records` is fast: documents to skip
# only go through it.
_FORMATS = {
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".parquet": parquet,
    ".xml": wikipedia_dump,
}


def split_into_chunks(path: str | Path, size: int | None) -> list[FileChunk]:
    """Splits a file into chunks of about `size` bytes.

    Compressed files are one chunk, except multistream Wikipedia dumps.
    """
    return _format_of(path).chunks(path, size)


def read_paragraphs(
    chunk: FileChunk,
    on_bytes: Callable[[int], None] = lambda count: None,
    bad_text: BadText | None = None,
    skip: int = 0,
    rows_per_document: int = 1,
) -> Iterator[list[str]]:
    """Yields the documents of a chunk, each a list of paragraphs.

    Args:
        chunk: A `FileChunk`.
        on_bytes: Called with the number of bytes read, for a progress bar.
        bad_text: A `BadText`; None raises at the first bad text.
        skip: Number of documents to skip at the start.
        rows_per_document: Records per document, for files with one sentence
            per record.

    Raises:
        ValueError: If a text is bad or the file damaged; names file and line.
    """
    bad_text = BadText() if bad_text is None else bad_text
    format = _format_of(chunk.path)
    records = format.records(chunk, on_bytes, bad_text)
    for _ in itertools.islice(records, skip * rows_per_document):
        pass
    bad_text.count = 0
    while batch := list(itertools.islice(records, rows_per_document)):
        texts = (format.paragraphs(record, bad_text) for record in batch)
        yield [paragraph for text in texts for paragraph in text]


def read_documents(
    path: str | Path,
    on_bytes: Callable[[int], None] = lambda count: None,
    language: str | None = None,
) -> Iterator[list[str]]:
    """Yields the documents of a file, each a list of sentences.

    In plain text, each line is a paragraph or a sentence, and a blank line or
    the end of the file ends a document. A heading (a document of one line
    without final punctuation) is joined to the document that follows. In JSON
    lines and Parquet, each line or row is a document: the string under
    `text`. In a Wikipedia dump, each article is a document.

    Args:
        path: A UTF-8 file.
        on_bytes: Called with the number of bytes read, for a progress bar.
        language: See `sentence_splitter`.

    Raises:
        ValueError: If the file is not UTF-8, or a line is not JSON with a
            `text` string; names file and line.
    """
    split = sentence_splitter(language)
    for chunk in split_into_chunks(path, None):
        for paragraphs in read_paragraphs(chunk, on_bytes):
            sentences = [
                sentence
                for paragraph in paragraphs
                for sentence in split(paragraph)
            ]
            if sentences:
                yield sentences


def _format_of(path):
    return _FORMATS.get(format_suffix(path), plain_text)
