"""Vocabularies are the same if ids mean the same, whatever their files."""

import logging

import pytest

from albert_keras import AlbertBackbone, AlbertConfig, AlbertTokenizer
from albert_keras.tokenization.same_vocabulary import (
    check_same_vocabulary,
    vocabulary_difference,
)

# Fields that a parser of protocol buffers merges into a SentencePiece model.
OTHER_TRAINING_FILE = b"\x12\x05\x0a\x03abc"
KEEPS_WHITE_SPACE = b"\x1a\x02\x20\x00"


@pytest.fixture
def tokenizer(store):
    return store.tokenizer


@pytest.fixture
def pretrained(tokenizer, tmp_path):
    """A function that saves a model with a vocabulary in a format."""

    def save(vocabulary, format="keras"):
        config = AlbertConfig(
            vocabulary_size=tokenizer.vocabulary_size,
            num_layers=1,
            num_heads=1,
            embedding_dim=2,
            hidden_dim=2,
            intermediate_dim=2,
            max_sequence_length=8,
        )
        model = AlbertBackbone.from_config(config)
        model.save_pretrained(
            tmp_path / format, format=format, tokenizer=vocabulary
        )
        return tmp_path / format

    return save


def check(source, tokenizer):
    check_same_vocabulary(source, tokenizer, "the corpus", "Do this.")


def test_another_file_with_the_same_pieces_is_the_same(tokenizer):
    other = AlbertTokenizer(tokenizer.model_proto + OTHER_TRAINING_FILE)
    assert other.sha256() != tokenizer.sha256()
    assert vocabulary_difference(other, tokenizer) is None


def test_other_pieces_rules_and_normalization_are_named(tokenizer):
    proto = tokenizer.model_proto
    piece = tokenizer.id_to_piece(100)
    longer = piece + "\N{LATIN SMALL LETTER THORN}"
    changed = proto.replace(_field(piece), _field(longer))
    # The message of the piece grows with it, and has its length before it.
    at = changed.index(_field(longer))
    changed = changed[: at - 1] + bytes([changed[at - 1] + 2]) + changed[at:]
    difference = vocabulary_difference(AlbertTokenizer(changed), tokenizer)
    assert difference == (
        f"1 of {tokenizer.vocabulary_size} ids stand for other pieces, such "
        f"as 100 for {longer!r}, not {piece!r}"
    )
    keeps = AlbertTokenizer(proto + KEEPS_WHITE_SPACE)
    assert "'x  y'" in vocabulary_difference(keeps, tokenizer)
    cased = AlbertTokenizer(proto, lowercase=False)
    assert vocabulary_difference(cased, tokenizer) == (
        "its lowercase is False, not True"
    )
    assert vocabulary_difference(cased, tokenizer, {"style"}) is None
    accents = AlbertTokenizer(proto, remove_accents=False)
    assert "remove_accents" in vocabulary_difference(tokenizer, accents)


def _field(piece):
    """A piece's text as the first field of its message."""
    data = piece.encode()
    return b"\x0a" + bytes([len(data)]) + data


@pytest.mark.parametrize("format", ["keras", "huggingface"])
def test_a_model_of_any_format_is_compared(format, pretrained, tokenizer):
    source = pretrained(tokenizer, format)
    check(source, tokenizer)
    cased = AlbertTokenizer(tokenizer.model_proto, lowercase=False)
    with pytest.raises(
        ValueError, match="another vocabulary than the corpus: .*Do this"
    ):
        check(source, cased)


def test_a_source_without_a_vocabulary_is_warned_of(
    pretrained, tokenizer, caplog
):
    with caplog.at_level(logging.WARNING):
        check(pretrained(None), tokenizer)
    assert "has no vocabulary" in caplog.text
