"""Documents out of files: paragraphs by format, then sentences.

A file is read in chunks, so that several processes share it and a process
that was interrupted goes on. A chunk has the documents that begin in it:
the documents of all chunks are those of the whole file, in its order,
wherever it is cut.
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

# Each has `chunks(path, size)`, `records(chunk, on_bytes, bad_text)`,
# which is quick, and `paragraphs(record, bad_text)`.
_FORMATS = {
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".parquet": parquet,
    ".xml": wikipedia_dump,
}


def split_into_chunks(path: str | Path, size: int | None) -> list[FileChunk]:
    """Chunks of a file, of about so many bytes each.

    Packed files are one, except dumps of Wikipedia of many streams.
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
        bad_text: A `BadText`; None fails at the first.
        skip: Documents to leave out at the beginning.
        rows_per_document: Records that make one document, for files with a
            sentence in each.

    Raises:
        ValueError: If a text is bad or the file damaged; names file and line.
    """
    bad_text = BadText() if bad_text is None else bad_text
    format = _format_of(chunk.path)
    records = format.records(chunk, on_bytes, bad_text)
    for _ in itertools.islice(records, skip * rows_per_document):
        pass
    bad_text.count = 0
    while run := list(itertools.islice(records, rows_per_document)):
        texts = (format.paragraphs(record, bad_text) for record in run)
        yield [paragraph for text in texts for paragraph in text]


def read_documents(
    path: str | Path,
    on_bytes: Callable[[int], None] = lambda count: None,
    language: str | None = None,
) -> Iterator[list[str]]:
    """Yields the documents of a file, each a list of sentences.

    In plain text, a line is a paragraph or a sentence and a blank line or
    the end of the file ends a document. A heading (a document of one line
    without punctuation at its end) opens the document that follows it. In
    JSON lines and Parquet, each line or row is a document, the string under
    `text`. In a dump of Wikipedia it is an article.

    Args:
        path: A UTF-8 file.
        on_bytes: Called with the number of bytes read, for a progress bar.
        language: See `sentence_splitter`.

    Raises:
        ValueError: If the file is not UTF-8 or a line is not such JSON;
            names file and line.
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
