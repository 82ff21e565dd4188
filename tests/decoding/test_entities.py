"""Entities of tags, against seqeval."""

import hypothesis
import hypothesis.strategies as st
import pytest
from seqeval.metrics.sequence_labeling import get_entities

from albert_keras.decoding.entities import find_entities
from albert_keras.decoding.tag_schemes import find_scheme

IOBES = [f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC")]


@pytest.mark.parametrize("names", [IOBES, [t for t in IOBES if t[0] in "BI"]])
@hypothesis.given(data=st.data())
def test_entities_are_those_of_seqeval(names, data):
    tags = data.draw(st.lists(st.sampled_from(["O", *names])))
    assert find_entities(tags, find_scheme(names)) == get_entities(tags)


def test_bilou_is_iobes_with_other_letters():
    names = ["O", *(f"{p}-PER" for p in "BILU")]
    tags = ["B-PER", "I-PER", "L-PER", "U-PER", "O", "U-PER"]
    expected = get_entities(["B-PER", "I-PER", "E-PER", "S-PER", "O", "S-PER"])
    assert find_entities(tags, find_scheme(names)) == expected


def test_tags_without_types_or_scheme_keep_their_names():
    tags = ["NN", "O", "VB"]
    assert find_entities(tags, find_scheme(["NN", "VB"])) == [
        ("NN", 0, 0),
        ("VB", 2, 2),
    ]
    assert find_entities(["B", "I", "O"], find_scheme("BI")) == [("B", 0, 1)]
