"""A corpus is prepared atomically, and damage is detected."""

import json
import shutil

import numpy as np
import pytest

from albert_keras.data import AlbertTokenizer, TokenStore
from albert_keras.data.corpus.prepare import prepare_corpus
from albert_keras.data.corpus.token_store_writer import unigram_entropy
from albert_keras.data.reading.documents import read_documents


@pytest.fixture
def copy(corpus, tmp_path):
    return shutil.copytree(corpus, tmp_path / "copy")


def test_the_store_holds_every_token_sentence_and_document(store, text_file):
    documents = list(read_documents(text_file))
    assert len(store.document_offsets) == len(documents) + 1
    assert len(store.sentence_offsets) == sum(map(len, documents)) + 1
    for index in (0, 7, len(documents) - 1):
        first, last = store.document_offsets[index : index + 2]
        for place, sentence in enumerate(documents[index]):
            start, end = store.sentence_offsets[first + place :][:2]
            ids = store.tokenizer.encode([sentence])[0]
            assert store.tokens[start:end].tolist() == ids
        assert first + len(documents[index]) == last


def test_the_manifest_counts_what_is_there(store):
    manifest = store.manifest
    tokens = np.array(store.tokens)
    assert manifest["num_tokens"] == len(tokens)
    counts = np.bincount(tokens)
    p = counts[counts > 0] / len(tokens)
    assert manifest["unigram_entropy"] == pytest.approx(-(p * np.log(p)).sum())
    assert unigram_entropy([5, 5, 0, 5, 5]) == pytest.approx(np.log(4))
    assert store.tokens.dtype == np.uint16
    store.verify()


def test_splits_share_the_documents_out(store):
    train, validation = store.documents("train"), store.documents("validation")
    together = np.sort(np.concatenate([train, validation]))
    np.testing.assert_array_equal(together, store.documents("all"))
    assert 0.1 < len(validation) / len(together) < 0.3
    with pytest.raises(ValueError, match="Received: 'test'"):
        store.documents("test")


def test_a_given_vocabulary_is_used_and_travels_along(
    corpus, text_file, tmp_path
):
    vocabulary = corpus / "vocabulary.model"
    prepare_corpus([text_file], tmp_path / "c", vocabulary=vocabulary)
    store = TokenStore(tmp_path / "c")
    assert (tmp_path / "c/vocabulary.model").read_bytes() == (
        vocabulary.read_bytes()
    )
    np.testing.assert_array_equal(store.tokens, TokenStore(corpus).tokens)


@pytest.mark.parametrize(
    "name", ["tokens.bin", "sentences.bin", "documents.bin"]
)
def test_a_truncated_file_is_refused_with_both_sizes(copy, name):
    path = copy / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    message = f"{name} is {len(whole) - 2} bytes long, expected {len(whole)}"
    with pytest.raises(ValueError, match=message):
        TokenStore(copy)
    path.unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        TokenStore(copy)


def test_a_changed_byte_is_found_by_verify(copy):
    content = bytearray((copy / "tokens.bin").read_bytes())
    content[100] ^= 1
    (copy / "tokens.bin").write_bytes(content)
    with pytest.raises(ValueError, match="tokens.bin is damaged"):
        TokenStore(copy).verify()


def test_another_vocabulary_does_not_fit_the_store(
    copy, store, text_file, tmp_path
):
    prepare_corpus([text_file], tmp_path / "other", vocabulary_size=140)
    other = tmp_path / "other" / "vocabulary.model"
    with pytest.raises(ValueError, match="another one of 150 pieces"):
        store.check_vocabulary(AlbertTokenizer(other))
    shutil.copy(other, copy)
    with pytest.raises(ValueError, match="vocabulary.*does not fit the store"):
        TokenStore(copy)


def test_a_directory_that_is_no_store_is_refused(copy, tmp_path):
    with pytest.raises(ValueError, match="is not a prepared corpus"):
        TokenStore(tmp_path)
    (copy / "store.json").write_text("{")
    with pytest.raises(ValueError, match="store.json is damaged"):
        TokenStore(copy)
    (copy / "store.json").write_text(json.dumps({"format_version": 9}))
    with pytest.raises(ValueError, match="format version 9"):
        TokenStore(copy)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"Gr\xfc\xdfe. More.\n", "is not UTF-8"),
        (b"  \n \n", "There is no text|too small"),
    ],
)
def test_input_that_cannot_be_read_leaves_nothing_behind(
    tmp_path, content, message, corpus
):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        prepare_corpus(
            [path], tmp_path / "out", vocabulary=corpus / "vocabulary.model"
        )
    assert [p.name for p in tmp_path.iterdir()] == ["bad.txt"]


def test_an_output_directory_in_use_is_left_alone(copy, text_file, tmp_path):
    before = (copy / "store.json").read_bytes()
    with pytest.raises(ValueError, match="already holds a prepared corpus"):
        prepare_corpus([text_file], copy, vocabulary_size=150)
    assert (copy / "store.json").read_bytes() == before
    prepare_corpus([text_file], copy, vocabulary_size=140, overwrite=True)
    assert TokenStore(copy).vocabulary_size == 140
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="something other than a prepared"):
            prepare_corpus([text_file], tmp_path / "notes", overwrite=overwrite)


def test_a_share_that_leaves_nothing_is_refused(text_file, tmp_path):
    with pytest.raises(ValueError, match="above 0 and below 1. Received: 1"):
        prepare_corpus([text_file], tmp_path / "out", validation_share=1)


def test_german_text_keeps_its_words_whole(shared_data, tmp_path):
    path = tmp_path / "de.txt"
    path.write_text("Die Veröffentlichung erscheint. Sie ist neu.\n")
    prepare_corpus(
        [path],
        tmp_path / "out",
        vocabulary=shared_data("german-30k.model"),
        lowercase=False,
        remove_accents=False,
    )
    assert TokenStore(tmp_path / "out").manifest["unknown_rate"] == 0
