"""Reads documents from files: paragraphs by format, then sentences.

A file is read in chunks, so that several processes can share it and an
interrupted run can resume. A document belongs to the chunk in which it
starts: the documents of all chunks, in order, are those of the whole file,
wherever it is split.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from albert_keras.data.reading import (
    json_lines,
    parquet,
    plain_text,
    wikipedia_dump,
)
from albert_keras.data.reading.file_chunk import FileChunk
from albert_keras.data.reading.file_format import detect_format
from albert_keras.data.reading.sentence_splitting import sentence_splitter
from albert_keras.data.reading.unreadable_text import BadText, cut_warning

TEXT_FIELD = "text"
# Each module has `chunks(whole, size, text_field)`,
# `records(chunk, on_bytes, bad_text, text_field)` and
# `paragraphs(record, bad_text, text_field)`. `records` is fast: documents to
# skip only go through it.
_FORMATS = {
    "json_lines": json_lines,
    "parquet": parquet,
    "plain_text": plain_text,
    "wikipedia_dump": wikipedia_dump,
}


def split_into_chunks(
    path: str | Path, size: int | None, text_field: str = TEXT_FIELD
) -> list[FileChunk]:
    """Splits a file into chunks of about `size` bytes.

    Compressed files are one chunk, except multistream Wikipedia dumps.

    Raises:
        ValueError: If the file is of a format that is not read, or a Parquet
            file without the column `text_field`.
    """
    format, compression = detect_format(path)
    size_of_file = Path(path).stat().st_size
    whole = FileChunk(str(path), 0, size_of_file, format, compression)
    return _FORMATS[format].chunks(whole, size, text_field)


def read_paragraphs(
    chunks: FileChunk | Sequence[FileChunk],
    on_bytes: Callable[[int], None] = lambda count: None,
    bad_text: BadText | None = None,
    skip: int = 0,
    rows_per_document: int | Callable[[str], int] = 1,
    text_field: str = TEXT_FIELD,
) -> Iterator[list[str]]:
    """Yields the documents of chunks, each a list of paragraphs.

    Args:
        chunks: A `FileChunk`, or several.
        on_bytes: Called with the number of bytes read, for a progress bar.
        bad_text: A `BadText`; None raises at the first bad text.
        skip: Number of documents to skip at the start.
        rows_per_document: Records per document, for files with one sentence
            per record; or a function of the path that returns it.
        text_field: Field or column of the text in JSON lines and Parquet.

    Raises:
        ValueError: If a text is bad or the file damaged; names file and line.
    """
    bad_text = BadText() if bad_text is None else bad_text
    for chunk in [chunks] if isinstance(chunks, FileChunk) else chunks:
        format = _FORMATS[chunk.format]
        rows = rows_per_document
        if callable(rows):
            rows = rows(chunk.path)
        records = format.records(chunk, on_bytes, bad_text, text_field)
        if skip:
            skipped = sum(1 for _ in itertools.islice(records, skip * rows))
            skip -= -(-skipped // rows)
            bad_text.reset()
        while batch := list(itertools.islice(records, rows)):
            texts = (
                format.paragraphs(record, bad_text, text_field)
                for record in batch
            )
            yield [paragraph for text in texts for paragraph in text]


def read_documents(
    path: str | Path,
    on_bytes: Callable[[int], None] = lambda count: None,
    language: str | None = None,
    text_field: str = TEXT_FIELD,
) -> Iterator[list[str]]:
    """Yields the documents of a file, each a list of sentences.

    In plain text, each line is a paragraph or a sentence, and a blank line or
    the end of the file ends a document; a heading belongs to the document
    after it: see `plain_text`. In JSON lines and Parquet, each line or row is
    a document: the string under `text_field`. In a Wikipedia dump, each
    article is a document. The format is recognized by the file's content.

    Args:
        path: A UTF-8 file, compressed or not.
        on_bytes: Called with the number of bytes read, for a progress bar.
        language: See `sentence_splitter`.
        text_field: Field or column of the text in JSON lines and Parquet.

    Raises:
        ValueError: If the file is not UTF-8 or of another format, or a line
            is not JSON with a string under `text_field`; names file and line.
    """
    split = sentence_splitter(language)
    bad_text = BadText()
    chunks = split_into_chunks(path, None, text_field)
    for paragraphs in read_paragraphs(
        chunks, on_bytes, bad_text, text_field=text_field
    ):
        sentences = [
            sentence
            for paragraph in paragraphs
            for sentence in split(paragraph)
        ]
        if sentences:
            yield sentences
    if bad_text.cuts:
        limit = plain_text.DOCUMENT_LIMIT
        warnings.warn(cut_warning(bad_text.cuts, limit), stacklevel=2)
