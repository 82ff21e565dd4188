"""Errors for unreadable input name the problem, the place and the remedy."""

import errno
import gzip
import json

import pyarrow
import pyarrow.parquet
import pytest

from albert_keras.data import TokenStore
from albert_keras.data.corpus import token_shard
from albert_keras.data.corpus.prepare import prepare_corpus
from albert_keras.data.reading.unreadable_text import BadText
from tests.conftest import make_text


@pytest.fixture
def prepare(corpus, tmp_path):
    def run(*files, **kwargs):
        return prepare_corpus(
            files, tmp_path / "out", corpus / "vocabulary.model", **kwargs
        )

    return run


GOOD = '{"text": "Bad dog. Fine fig."}\n'


@pytest.mark.parametrize(
    "name, content, message, documents",
    [
        (
            "a.txt",
            b"Bad dog.\n\nGr\xfc\xdfe.\nFine.\n",
            'a.txt is not UTF-8 text: line 3,.*iconv.*`on_bad_text="skip"`',
            2,
        ),
        (
            "a.jsonl",
            (GOOD + '{"body": "Dog."}\n' + GOOD).encode(),
            "a.jsonl, line 2: expected a JSON object with a string under",
            2,
        ),
        (
            "a.jsonl",
            GOOD.encode() + b'{"text": "Gr\xfc\xdfe"}\n',
            "a.jsonl is not UTF-8 text: line 2",
            1,
        ),
        ("a.jsonl", (GOOD + "{\n").encode(), "a.jsonl, line 2", 1),
    ],
)
def test_bad_lines_are_named_or_skipped_and_counted(
    prepare, tmp_path, name, content, message, documents
):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        prepare(path)
    manifest = prepare(path, on_bad_text="skip")
    assert manifest["report"]["bad_texts_skipped"] == 1
    assert manifest["num_documents"] == documents


def test_the_line_is_right_in_the_middle_of_a_large_file(prepare, tmp_path):
    text = make_text(300).encode()
    bad = text.rindex(b"\n\n", 0, 40_000) + 2
    path = tmp_path / "a.txt"
    path.write_bytes(text[:bad] + b"\xff\n\n" + text[bad:])
    line = text[:bad].count(b"\n") + 1
    with pytest.raises(ValueError, match=f"line {line}, "):
        prepare(path, shard_megabytes=0.01, workers=1)


def test_rows_without_text_are_named_or_skipped(prepare, tmp_path):
    path = tmp_path / "a.parquet"
    texts = ["Bad dog.", None, "Fine fig."]
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), path)
    with pytest.raises(ValueError, match="a.parquet, row 2: expected a string"):
        prepare(path)
    manifest = prepare(path, on_bad_text="skip")
    assert manifest["report"]["bad_texts_skipped"] == 1
    assert manifest["num_documents"] == 2


def test_parquet_without_the_column_or_damaged_is_refused(prepare, tmp_path):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"body": ["Dog."]}), path)
    with pytest.raises(ValueError, match="no column 'text', only body"):
        prepare(path)
    pyarrow.parquet.write_table(
        pyarrow.table({"text": make_text(50).split("\n")}), path
    )
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes(400) + whole[440:])
    with pytest.raises(ValueError, match="is damaged in row group 0"):
        prepare(path)
    path.write_bytes(whole[:-20])
    with pytest.raises(ValueError, match="is not a Parquet file, or damaged"):
        prepare(path)


@pytest.mark.parametrize("end", [-9, 2000])
def test_broken_gzip_is_refused_and_finished_shards_stay(
    prepare, tmp_path, end
):
    good = tmp_path / "a.txt"
    good.write_text("Bad dog. Fine fig.\n")
    path = tmp_path / "b.txt.gz"
    path.write_bytes(gzip.compress(make_text(300).encode())[:end])
    message = "b.txt.gz is damaged or truncated after line.*leave it out"
    with pytest.raises(ValueError, match=message):
        prepare(good, path, workers=1)
    with pytest.raises(ValueError, match=message):
        prepare(good, path, path, workers=2)
    shards = tmp_path / "out.parts" / "shards"
    assert "000000-0000" in {shard.name for shard in shards.iterdir()}
    assert not (tmp_path / "out").exists()


def test_an_empty_directory_and_an_empty_file_are_refused(prepare, tmp_path):
    (tmp_path / "texts").mkdir()
    with pytest.raises(ValueError, match="No file matches.*texts"):
        prepare(tmp_path / "texts")
    (tmp_path / "texts" / "a.txt").touch()
    with pytest.raises(ValueError, match="a.txt is empty"):
        prepare(tmp_path / "texts")


def test_a_full_disk_is_told_and_finished_shards_are_kept(
    prepare, tmp_path, monkeypatch
):
    path = tmp_path / "a.txt"
    path.write_text(make_text(300))
    written = []
    write = token_shard.TokenShard.write

    def write_until_full(self, directory, **record):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, directory, **record)
        written.append(directory)

    monkeypatch.setattr(token_shard.TokenShard, "write", write_until_full)
    settings = {"shard_megabytes": 0.01, "workers": 1}
    with pytest.raises(ValueError, match="disk is full.*out.parts: make room"):
        prepare(path, **settings)
    assert len(list((tmp_path / "out.parts/shards").iterdir())) == 3
    monkeypatch.undo()
    prepare(path, **settings)
    TokenStore(tmp_path / "out").verify()


def test_settings_out_of_range_are_refused(prepare, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "Dog."}))
    for settings, message in (
        ({"deduplicate": "all"}, "must be one of none, exact, near"),
        ({"on_bad_text": "ignore"}, "must be one of fail, skip"),
        ({"shard_megabytes": 0}, "must be above 0. Received: 0"),
    ):
        with pytest.raises(ValueError, match=message):
            prepare(path, **settings)


def test_bad_text_that_is_skipped_is_counted_and_raises_nothing():
    bad_text = BadText(skip=True)
    bad_text.report("any")
    assert bad_text.count == 1
