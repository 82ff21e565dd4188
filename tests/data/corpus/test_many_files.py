"""Small files share a chunk; settings of reading reach the workers."""

import gzip
import json

import numpy as np
import pytest

from albert_keras.data import TokenStore
from albert_keras.data.corpus.encode_shard import encode_chunk
from albert_keras.data.corpus.plan import TextSettings
from albert_keras.data.corpus.prepare import (
    encode_task,
    merge_parts,
    prepare_corpus,
    prepare_parts,
)
from albert_keras.data.corpus.token_shard import TokenShard
from albert_keras.data.reading import plain_text
from tests.conftest import make_text


@pytest.fixture
def vocabulary(corpus):
    return corpus / "vocabulary.model"


def write_small_files(directory):
    """Writes 60 documents, one per file of several formats; returns them."""
    directory.mkdir()
    documents = make_text(60).strip().split("\n\n")
    for number, text in enumerate(documents):
        path = directory / f"{number:03d}"
        if number % 20 < 12:
            path.write_text(text)
        elif number % 20 < 16:
            path.write_text(json.dumps({"text": text}))
        else:
            path.write_bytes(gzip.compress(text.encode()))
    return documents


@pytest.mark.process
def test_many_small_files_equal_one_large_one(vocabulary, tmp_path):
    documents = write_small_files(tmp_path / "small")
    (tmp_path / "one.txt").write_text("\n\n".join(documents))
    prepare_corpus(tmp_path / "one.txt", tmp_path / "one", vocabulary)
    for number, settings in enumerate(
        [{}, {"shard_megabytes": 0.001, "workers": 3}]
    ):
        target = tmp_path / f"c{number}"
        prepare_corpus(tmp_path / "small", target, vocabulary, **settings)
        for name in ("tokens.bin", "sentences.bin", "documents.bin"):
            expected = (tmp_path / "one" / name).read_bytes()
            assert (target / name).read_bytes() == expected


def test_small_files_share_a_chunk_apart_from_compressed_ones(
    vocabulary, tmp_path
):
    write_small_files(tmp_path / "small")
    with prepare_parts(tmp_path / "small", tmp_path / "p", vocabulary) as plan:
        assert [len(chunk) for chunk in plan.chunks] == [16, 4] * 3


@pytest.mark.process
def test_a_chunk_of_many_files_resumes_in_its_middle(
    vocabulary, tmp_path, monkeypatch
):
    write_small_files(tmp_path / "small")
    prepare_corpus(tmp_path / "small", tmp_path / "whole", vocabulary)
    write, written = TokenShard.write, []

    def stop_at_every_third(self, directory, **record):
        written.append(directory)
        if len(written) % 3 == 0:
            raise KeyboardInterrupt
        write(self, directory, **record)

    with prepare_parts(tmp_path / "small", tmp_path / "p", vocabulary) as plan:
        # Many shards per chunk, as if files held more than was estimated.
        monkeypatch.setattr(TextSettings, "shard_bytes", 250)
        monkeypatch.setattr(TokenShard, "write", stop_at_every_third)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                encode_chunk(plan, 0, lambda count: None)
        monkeypatch.setattr(TokenShard, "write", write)
        assert len(plan.finished(0)) == 4
        assert not plan.is_finished(0)
        encode_task(plan, 0, 1, workers=1)
    merge_parts(plan, tmp_path / "c", 0.05, 0)
    for name in ("tokens.bin", "sentences.bin", "documents.bin"):
        expected = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "c" / name).read_bytes() == expected


def test_the_text_field_is_a_setting_of_the_plan(vocabulary, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"body": "Bad dog. Fine fig."}) + "\n")
    for workers in (1, 2):
        manifest = prepare_corpus(
            [path, path],
            tmp_path / str(workers),
            vocabulary,
            workers=workers,
            text_field="body",
        )
        assert manifest["num_documents"] == 1
        assert manifest["settings"]["text_field"] == "body"
    with prepare_parts(path, tmp_path / "p", vocabulary, text_field="body"):
        pass
    with pytest.raises(ValueError, match="text_field 'body' then, 'text' now"):
        with prepare_parts(path, tmp_path / "p", vocabulary):
            pass


def test_a_long_text_warns_once_and_fills_several_documents(
    vocabulary, tmp_path, monkeypatch
):
    monkeypatch.setattr(plain_text, "DOCUMENT_LIMIT", 2000)
    for name in "ab":
        text = make_text(60).replace("\n\n", "\n")
        (tmp_path / f"{name}.txt").write_text(text)
    stores = []
    for size in (0.003, 0.01, 1):
        target = tmp_path / str(size)
        with pytest.warns(UserWarning, match="a.txt .* and 1 other") as found:
            prepare_corpus(
                tmp_path / "?.txt",
                target,
                vocabulary,
                workers=1,
                shard_megabytes=size,
            )
        assert len(found) == 1
        stores.append(TokenStore(target))
    assert len(stores[0].document_offsets) > 10
    for store in stores[1:]:
        np.testing.assert_array_equal(
            store.document_offsets, stores[0].document_offsets
        )
