"""Our tokenizer against Hugging Face's live one, on real text."""

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.conversion.huggingface_tokenizer import write_tokenizer
from albert_keras.conversion.pretrained_parts import PretrainedParts
from tests.tokenization.test_tokenizer import HUGGING_FACE, real_texts

transformers = pytest.importorskip(
    "transformers", reason="needs transformers: make test-parity"
)


@pytest.fixture
def both(shared_data, tmp_path):
    """Our tokenizer, and theirs loaded from the files that we write."""
    vocabulary = shared_data("30k-clean.model").read_bytes()
    parts = PretrainedParts(
        "AlbertBackbone", ak.AlbertConfig(), {}, vocabulary=vocabulary
    )
    write_tokenizer(tmp_path, parts)
    ours = ak.AlbertTokenizer(vocabulary, style="huggingface")
    return ours, transformers.AlbertTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("text", HUGGING_FACE)
def test_the_examples_have_the_ids_that_were_recorded(both, text):
    _, theirs = both
    ids = theirs(text, add_special_tokens=False)["input_ids"]
    assert " ".join(map(str, ids)) == HUGGING_FACE[text]


def test_ids_are_the_same_on_real_text(both, shared_data):
    ours, theirs = both
    texts = real_texts(shared_data)
    expected = theirs(texts, add_special_tokens=False)["input_ids"]
    different = [
        text
        for text, one, other in zip(
            texts, ours.encode(texts), expected, strict=True
        )
        if one != other
    ]
    assert different == []


def test_a_padded_batch_of_pairs_is_the_same(both):
    ours, theirs = both
    # Only one text of a pair is truncated: if both are, ours truncates the
    # second on a tie, as Google does.
    texts = ["Who wrote it?", "In 2009, the U.S."]
    pairs = ["It was written by her.", "Not much. " * 20]
    mine = ours(texts, pairs=pairs, sequence_length=24)
    other = theirs(
        texts,
        pairs,
        padding="max_length",
        truncation="longest_first",
        max_length=24,
        return_token_type_ids=True,
    )
    for name, key in (
        ("token_ids", "input_ids"),
        ("segment_ids", "token_type_ids"),
        ("padding_mask", "attention_mask"),
    ):
        np.testing.assert_array_equal(mine[name], other[key], name)


def test_offsets_cover_what_theirs_cover(both):
    ours, theirs = both
    for text in HUGGING_FACE:
        if any(mark in text for mark in ("\u00bd", "[", "``")):
            continue  # theirs has half of the quotes, and [MASK] with spaces
        ((_, mine),) = ours.encode_with_offsets([text])
        other = theirs(
            text, add_special_tokens=False, return_offsets_mapping=True
        )["offset_mapping"]
        for one, their in zip(mine, other, strict=True):
            if one[0] < one[1]:
                assert text[slice(*one)] == text[slice(*their)].strip(), text
