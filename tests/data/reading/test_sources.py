"""All formats and compressions give the same documents, however split."""

import bz2
import gzip
import json
from xml.sax.saxutils import escape

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from albert_keras.data.reading.compressed_files import find_files
from albert_keras.data.reading.documents import (
    read_paragraphs,
    split_into_chunks,
)
from albert_keras.data.reading.wikipedia_dump import running_text
from tests.conftest import make_text

SIZES = [None, 500, 4321, 1 << 20]


@pytest.fixture(scope="module")
def documents():
    """Lists of lines, with headings and multi-byte characters."""
    blocks = make_text(60).strip().split("\n\n")
    found = [block.split("\n") for block in blocks]
    for number in range(0, 60, 7):
        found[number].insert(0, f"Überschrift № {number}")
    return found


def plain_text(documents):
    parts = []
    for lines in documents:
        if not lines[0].endswith((".", "?")):
            parts.append(lines[0])
            lines = lines[1:]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def json_lines(documents):
    return "".join(
        json.dumps({"id": 1, "text": "\n".join(lines)}) + "\n"
        for lines in documents
    )


def page(number, lines, namespace=0, extra=""):
    text = escape("\n\n".join(lines[1:]))
    return (
        f"  <page>\n    <title>{escape(lines[0])}</title>\n"
        f"    <ns>{namespace}</ns>\n    <id>{number}</id>\n{extra}"
        f'    <revision>\n      <text bytes="9" xml:space="preserve">{text}'
        "</text>\n    </revision>\n  </page>\n"
    )


def dump(documents):
    """The parts of a dump that Wikimedia compresses as separate streams."""
    pages = [page(n, lines) for n, lines in enumerate(documents)]
    pages.insert(3, page(100, ["User:A", "No article."], namespace=2))
    pages.insert(
        9, page(101, ["B", "C."], extra='    <redirect title="C" />\n')
    )
    head = '<mediawiki xml:lang="en">\n  <siteinfo>\n  </siteinfo>\n'
    runs = ["".join(pages[n : n + 5]) for n in range(0, len(pages), 5)]
    return [head, *runs, "</mediawiki>\n"]


def write_all(directory, documents):
    """Writes the documents in every format and compression."""
    text, lines = plain_text(documents), json_lines(documents)
    rows = ["\n".join(lines) for lines in documents]
    xml = dump(documents)
    (directory / "a.txt").write_text(text, encoding="utf-8")
    (directory / "a.jsonl").write_text(lines, encoding="utf-8")
    (directory / "a.xml").write_text("".join(xml), encoding="utf-8")
    pyarrow.parquet.write_table(
        pyarrow.table({"title": rows, "text": rows}),
        directory / "a.parquet",
        row_group_size=11,
    )
    for name, data in (("txt", text), ("jsonl", lines), ("xml", "".join(xml))):
        for suffix, compress in (
            ("gz", gzip.compress),
            ("bz2", bz2.compress),
            ("zst", zstandard.ZstdCompressor().compress),
        ):
            compressed = compress(data.encode())
            (directory / f"a.{name}.{suffix}").write_bytes(compressed)
    (directory / "streams.xml.bz2").write_bytes(
        b"".join(bz2.compress(part.encode()) for part in xml)
    )
    half = len(lines) // 2
    (directory / "two.jsonl.zst").write_bytes(
        b"".join(
            zstandard.ZstdCompressor().compress(part.encode())
            for part in (lines[:half], lines[half:])
        )
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory, documents):
    directory = tmp_path_factory.mktemp("files")
    write_all(directory, documents)
    return directory


def read(path, size, **kwargs):
    return [
        lines
        for chunk in split_into_chunks(path, size)
        for lines in read_paragraphs(chunk, **kwargs)
        if lines
    ]


@pytest.mark.parametrize("size", SIZES)
def test_all_files_have_the_same_documents(files, documents, size):
    paths = find_files(files)
    assert len(paths) == 15
    for path in paths:
        assert read(path, size) == documents, path.name


def test_large_files_are_shared_out(files):
    for name in ("a.txt", "a.jsonl", "a.xml", "a.parquet", "streams.xml.bz2"):
        chunks = split_into_chunks(files / name, 4000)
        busy = [s for s in chunks if any(read_paragraphs(s))]
        assert len(busy) > 1, name


def test_what_was_read_before_is_left_out(files, documents):
    for name in ("a.txt", "a.jsonl.gz", "a.parquet", "a.jsonl.zst"):
        assert read(files / name, None, skip=23) == documents[23:]


def test_rows_of_single_sentences_make_documents(tmp_path):
    rows = [f"sentence {number} ." for number in range(25)]
    path = tmp_path / "books.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": rows}), path)
    found = read(path, None, rows_per_document=10)
    assert found == [rows[:10], rows[10:20], rows[20:]]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl.gz", "a.xml", "a.parquet"])
def test_progress_reaches_the_size_of_the_file(files, name):
    counted = []
    read(files / name, None, on_bytes=counted.append)
    size = (files / name).stat().st_size
    assert sum(counted) == pytest.approx(size, rel=1e-3)


def test_a_pages_markup_becomes_running_text():
    markup = """{{Infobox|name={{lang|de|x}}}}
[[File:A.jpg|thumb|A [[caption]].]]
'''Ada''' was a [[mathematics|mathematician]] ({{x}}).<ref>{{cite}}</ref>

== Life ==
Born in [[London]] in 1815.<ref name="a" /> See [https://a.org here].
{| class="wikitable"
! A
|-
| B
|}
<math>a^2</math>
[[Category:People]]
[[de:Ada]]
"""
    assert running_text(markup) == [
        "Ada was a mathematician.",
        "Life",
        "Born in London in 1815. See here.",
    ]


def test_hidden_files_of_a_directory_are_left_out(tmp_path):
    for name in ("a.txt", ".hidden.txt", "part/b.txt", ".git/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Text.")
    found = [path.relative_to(tmp_path) for path in find_files(tmp_path)]
    assert [str(path) for path in found] == ["a.txt", "part/b.txt"]
