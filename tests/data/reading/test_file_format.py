"""A file is what its content says, whatever its name."""

import bz2
import codecs
import gzip
import json
import lzma
import re

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from albert_keras.data.reading.documents import read_documents
from albert_keras.data.reading.file_format import detect_format
from albert_keras.data.reading.utf8_lines import read_text_lines

ROWS = [{"text": "First. Second.\nThird.", "id": 1}, {"text": "Other."}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
DOCUMENTS = [["First.", "Second.", "Third."], ["Other."]]
COMPRESS = {
    "": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", ["wiki_00", "a.json", "a.txt", "a.json.gz"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_json_lines_are_found_under_any_name(tmp_path, name, compression, mark):
    path = tmp_path / name
    path.write_bytes(COMPRESS[compression](mark + LINES))
    assert detect_format(path) == ("json_lines", compression)
    assert list(read_documents(path)) == DOCUMENTS


@pytest.mark.parametrize("compression", COMPRESS)
def test_plain_text_is_decompressed_under_any_name(tmp_path, compression):
    path = tmp_path / "a.gz"
    text = b"First. Second.\nThird.\n\nOther.\n"
    path.write_bytes(COMPRESS[compression](codecs.BOM_UTF8 + text))
    assert list(read_documents(path)) == DOCUMENTS


def test_a_long_first_line_is_json_too(tmp_path):
    path = tmp_path / "a"
    path.write_text(json.dumps({"id": 1, "text": "Word. " * 50_000}) + "\n")
    assert detect_format(path) == ("json_lines", "")


def test_parquet_is_found_under_any_name_and_column(tmp_path):
    path = tmp_path / "train.txt"
    table = pyarrow.table({"body": ["First. Second.\nThird.", "Other."]})
    pyarrow.parquet.write_table(table, path)
    assert list(read_documents(path, text_field="body")) == DOCUMENTS
    with pytest.raises(ValueError, match="only body.*`text_field`"):
        list(read_documents(path))


def test_text_field_names_another_field_of_json_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES.replace(b'"text"', b'"body"'))
    assert list(read_documents(path, text_field="body")) == DOCUMENTS
    with pytest.raises(ValueError, match="`text_field`.*It has 'body', 'id'"):
        list(read_documents(path))


PROSE = [
    "Well, it rained, and then, it stopped.\nThe sun, the moon, the stars.\n"
    "So, they said, so, it was.\n",
    "\tOnce upon a time\n\tthere was a king\n\twho had a tab\n\tin each line\n",
    "Shall I compare thee, to a day,\nThou art more lovely, and more fair,\n"
    "Rough winds do shake, the darling buds,\n",
    "< 5 % of people, and <b>more</b>, do so.\n<unk> , he said .\n",
    "<3 this phone\n\n<p> is a tag of HTML.\n",
    "{{Infobox}} is a template.\nAnd { braces } as well.\n",
    '{"a": 1}\n\nis how an object looks in JSON.\n',
    "[1] Smith, J.: A title.\n[2] Jones, K.: Another.\n",
    '["Hello", he said, "you."]\n',
    "First;second;third.\nOnly one line of it; and then; more.\n",
    "1,000 people\n2,000 people\n3,000 people\n",
    "Name\nText\nOther\nMore\n",
    "cat\tan animal that purrs\ndog\tan animal that barks\n",
    "Id est,a typo\nof a space,missing\nThat is all.\n",
    "# A note, in Markdown\n\n| a | b |\n|---|---|\n",
    "text\n\nlabel\n",
    "BZh is no archive.\n",
    "PAR is a word.\n",
]


def is_table(text):
    """Whether the first line may be that of a table, in a file named so."""
    return re.search(r",\S|;|\t|^(Name|text)$", text.split("\n")[0])


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(suffix, text) for suffix in ("", ".txt", ".gz") for text in PROSE]
    + [(".csv", text) for text in PROSE if not is_table(text)]
    + [(".xml", text) for text in PROSE if not text.startswith("<")],
)
def test_prose_is_not_taken_for_anything_else(tmp_path, suffix, text):
    path = tmp_path / f"a{suffix}"
    path.write_text(text, "utf-8")
    assert detect_format(path) == ("plain_text", "")
    assert list(read_documents(path))


REFUSED = [
    (b"text,label\nA film.,1\nAnother film.,0\n", r"\(CSV\).*pandas"),
    (b'"text","label"\n"A, b",1\n"Two\nlines, too",0\n', r"\(CSV\)"),
    (b"id;text\n1;a\n2;b\n", r"\(CSV\)"),
    (b"label\ttext\n1\tA film, good.\n0\tBad.\n", r"\(TSV\)"),
    (b"1\teng\tGo.\n" * 6, r"\(TSV\)"),
    (b"<!DOCTYPE html>\n<html><p>A</p></html>", "HTML.*trafilatura"),
    (b"\n<!-- x -->\n<HTML lang='en'>", "HTML"),
    (b"<div class='a'><p>A</p> <b>c</b></div>\n", "HTML"),
    (b'<?xml version="1.0"?>\n<tei><p>A</p></tei>', "XML other than"),
    (b'[{"text": "A."}, {"text": "B."}]', "JSON array.*jq -c '.\\[\\]'"),
    (b'[\n  {\n    "text": "A."\n  }\n]\n', "JSON array"),
    (b'["A.", "B."]', "JSON array"),
    (b'{\n  "text": "A."\n}\n', "several lines.*jq -c"),
    ("Grüße.\n".encode("utf-16"), "UTF-16 text.*iconv -f utf-16"),
    ("Die Wahrheit.\n".encode("utf-16-le"), "UTF-16LE text.*iconv"),
    ("Die Wahrheit.\n".encode("utf-32"), "UTF-32 text"),
    (b"PK\x03\x04" + bytes(40), "a ZIP archive.*Unpack it"),
    (b"%PDF-1.7\n", "PDF"),
    (bytes(257) + b"ustar\x0000", "a tar archive"),
]


@pytest.mark.parametrize("content, message", REFUSED)
@pytest.mark.parametrize("compression", ["", "gzip"])
def test_other_formats_are_refused_with_a_remedy(
    tmp_path, content, message, compression
):
    path = tmp_path / "a.txt"
    path.write_bytes(COMPRESS[compression](content))
    with pytest.raises(ValueError, match=rf"a\.txt is .*{message}"):
        list(read_documents(path))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv"])
def test_tables_of_one_column_are_refused_by_their_suffix(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"text\nA film.\nAnother film.\n")
    with pytest.raises(ValueError, match="is a table"):
        detect_format(path)


def test_compressed_parquet_is_refused(tmp_path):
    path = tmp_path / "a.parquet.gz"
    path.write_bytes(gzip.compress(b"PAR1" + bytes(99)))
    with pytest.raises(ValueError, match="Parquet inside gzip. .*Decompress"):
        detect_format(path)


def test_a_mark_within_a_joined_file_is_no_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"One.\n\n" + codecs.BOM_UTF8 + b"\nTwo.\n")
    assert list(read_documents(path)) == [["One."], ["Two."]]


def test_lines_of_utf16_are_refused_with_the_right_remedy(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("a\tb\n".encode("utf-16"))
    with pytest.raises(ValueError, match="UTF-16.*iconv -f utf-16"):
        list(read_text_lines(path))
