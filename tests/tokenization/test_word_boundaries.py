"""Which pieces begin a unit of whole-word masking."""

import pytest

from albert_keras.data import AlbertTokenizer
from albert_keras.tokenization.word_boundaries import begins_word
from tests.references.masking import google_unit_starts


@pytest.mark.parametrize(
    "piece, starts",
    [
        ("\u2581the", True),
        ("ing", False),
        ("'", True),
        ("'s", True),
        ("s", False),
        (",", True),
        ("),", False),
        ("5", True),
        (",000", True),
        ("\u2581", True),
        ("<unk>", True),
        ("[MASK]", True),
        ("öff", False),
        ("本", True),
        ("ます", True),
        ("。", True),
        ("ที่", True),
        ("्यक्ति", False),
        ("ию", False),
    ],
)
def test_a_piece_starts_a_word_or_continues_it(piece, starts):
    assert begins_word(piece) is starts


def test_the_english_units_are_unions_of_googles(shared_data):
    tokenizer = AlbertTokenizer(shared_data("30k-clean.model"))
    pieces = [tokenizer.id_to_piece(i) for i in range(5, 30000)]
    differing = [p for p in pieces if begins_word(p) != google_unit_starts(p)]
    assert not [p for p in differing if begins_word(p)]
    assert all(not p.isascii() for p in differing)
