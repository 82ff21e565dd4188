"""Encoding texts in parallel, and the cache next to their file."""

import logging

import numpy as np
import pytest

from albert_keras import AlbertTokenizer
from albert_keras.data.tasks.encoded_texts import encode_texts

TEXTS = ["Ba de fi.", "", "  Ko ko, lu? ", "Mä né ½."]


@pytest.fixture
def tokenizer(store):
    return store.tokenizer


def assert_same(one, other):
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.bounds, other.bounds)
    if one.offsets is None:
        assert other.offsets is None
    else:
        np.testing.assert_array_equal(one.offsets, other.offsets)


def test_ids_and_offsets_are_the_tokenizers(tokenizer):
    encoded = encode_texts(tokenizer, TEXTS, offsets=True)
    plain = encode_texts(tokenizer, TEXTS)
    assert len(encoded) == 4 and plain.offsets is None
    for index, (ids, offsets) in enumerate(
        tokenizer.encode_with_offsets(TEXTS)
    ):
        assert encoded.ids_of(index).tolist() == ids
        assert plain.ids_of(index).tolist() == ids
        assert encoded.lengths[index] == len(ids)
        assert list(map(tuple, encoded.offsets_of(index))) == offsets


def test_no_texts_are_no_pieces(tokenizer):
    encoded = encode_texts(tokenizer, [], offsets=True)
    assert len(encoded) == 0 and encoded.offsets.shape == (0, 2)


@pytest.mark.process
def test_several_processes_give_the_same(tokenizer):
    texts = [f"{text} {n}" for n in range(200) for text in TEXTS]
    done = []
    together = encode_texts(
        tokenizer,
        texts,
        offsets=True,
        workers=2,
        progress=lambda what, total: done.append,
    )
    assert_same(together, encode_texts(tokenizer, texts, offsets=True))
    assert sum(done) == len(texts)


def test_the_cache_is_read_and_follows_what_it_was_made_of(
    tokenizer, tmp_path, monkeypatch
):
    source = tmp_path / "texts.json"
    first = encode_texts(tokenizer, TEXTS, True, source)
    (cache,) = tmp_path.glob("texts.json.pieces-*.npz")

    def fail(*_):
        raise AssertionError("encoded again")

    monkeypatch.setattr(tokenizer, "encode_with_offsets", fail)
    assert_same(encode_texts(tokenizer, TEXTS, True, source), first)
    with pytest.raises(AssertionError):
        encode_texts(tokenizer, [*TEXTS[:3], "Mä né ½"], True, source)
    cased = AlbertTokenizer(tokenizer.model_proto, lowercase=False)
    other = encode_texts(cased, TEXTS, True, source)
    assert other.ids.tolist() != first.ids.tolist()
    assert len(list(tmp_path.glob("*.npz"))) == 2
    # A truncated cache is ignored.
    monkeypatch.undo()
    cache.write_bytes(cache.read_bytes()[:-40])
    assert_same(encode_texts(tokenizer, TEXTS, True, source), first)


def test_where_nothing_can_be_written_nothing_is_kept(
    tokenizer, tmp_path, caplog
):
    (tmp_path / "file").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        encoded = encode_texts(
            tokenizer, TEXTS, source=tmp_path / "file" / "texts.json"
        )
    assert len(encoded) == 4
    assert "The encoded texts are not cached" in caplog.text
