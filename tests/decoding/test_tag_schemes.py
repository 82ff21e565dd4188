"""Entities in every scheme of tags, against spans and CoNLL's rules."""

import hypothesis
import pytest
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from albert_keras.decoding.tag_schemes import (
    SCHEMES,
    TagScheme,
    find_scheme,
)
from albert_keras.evaluation.token_evaluation import entity_scores


def iob1(spans, length):
    tags = ["O"] * length
    before = None
    for kind, first, last in spans:
        tags[first : last + 1] = [f"I-{kind}"] * (last + 1 - first)
        if before == (kind, first - 1):
            tags[first] = f"B-{kind}"
        before = (kind, last)
    return tags


def with_letters(begin, inside, end, single):
    def encode(spans, length):
        tags = ["O"] * length
        for kind, first, last in spans:
            tags[first : last + 1] = [f"{inside}-{kind}"] * (last + 1 - first)
            tags[last] = f"{end}-{kind}"
            tags[first] = f"{begin if first < last else single}-{kind}"
        return tags

    return encode


ENCODERS = {
    "IOB1": ("IOB", iob1),
    "IOB2": ("IOB", with_letters("B", "I", "I", "B")),
    "IOBES": ("IOBES", with_letters("B", "I", "E", "S")),
    "BILOU": ("BILOU", with_letters("B", "I", "L", "U")),
    "BMES": ("BMES", with_letters("B", "M", "E", "S")),
    "BMEWO": ("BMEWO", with_letters("B", "M", "E", "W")),
}


@st.composite
def sentences(draw):
    """(spans, number of words): entities in order, also next to each other."""
    place, spans = 0, []
    for _ in range(draw(st.integers(0, 4))):
        place += draw(st.integers(0, 2))
        length = draw(st.integers(1, 3))
        kind = draw(st.sampled_from(["PER", "LOC", "A-B"]))
        spans.append((kind, place, place + length - 1))
        place += length
    return spans, place + draw(st.integers(0, 2)) or 1


@pytest.mark.parametrize("name", ENCODERS)
@hypothesis.given(data=st.lists(st.tuples(sentences(), sentences())))
def test_scores_are_those_of_the_spans_in_every_scheme(name, data):
    scheme, encode = ENCODERS[name]
    gold, ours, golds, predictions = set(), set(), [], []
    for number, ((label, length), (prediction, other)) in enumerate(data):
        length = max(length, other)
        encoded = (encode(spans, length) for spans in (label, prediction))
        tags = [TagScheme(scheme).to_iobes(tags) for tags in encoded]
        golds.append(tags[0])
        predictions.append(tags[1])
        gold |= {(number, *span) for span in label}
        ours |= {(number, *span) for span in prediction}
    scores = entity_scores(golds, predictions)
    correct = len(gold & ours)
    assert scores["precision"] == (correct / len(ours) if ours else 0)
    assert scores["recall"] == (correct / len(gold) if gold else 0)
    total = scores["precision"] + scores["recall"]
    assert scores["f1"] == pytest.approx(
        2 * scores["precision"] * scores["recall"] / total if total else 0
    )


def conlleval(tags):
    """Entities by the rules of CoNLL's script (conlleval, 2004) for IOB."""
    entities, first = set(), None
    pairs = [tag.partition("-")[::2] for tag in tags]
    for place, (prefix, kind) in enumerate([*pairs, ("O", "")]):
        before, kind_before = pairs[place - 1] if place else ("O", "")
        ends = before in "BI" and (prefix in "BO" or kind != kind_before)
        starts = prefix == "B" or (
            prefix == "I" and (before == "O" or kind != kind_before)
        )
        if ends:
            entities.add((kind_before, first, place - 1))
        if starts:
            first = place
    return entities


@hypothesis.given(
    tags=st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]))
)
def test_tags_out_of_place_count_as_in_conlls_script(tags):
    assert set(get_entities(TagScheme("IOB").to_iobes(tags))) == conlleval(tags)


@pytest.mark.parametrize(
    "tags, name, stray",
    [
        (["O", "B-PER", "I-PER"], "IOB", ()),
        (["O", "I-PER"], "IOB", ()),
        (["O"], "IOB", ()),
        (["B", "I", "O"], "IOB", ()),
        (["U-PER", "O", "B-LOC", "L-LOC"], "BILOU", ()),
        (["U-PER", "O"], "BILOU", ()),
        (["S-PER", "B-PER", "E-PER", "O"], "IOBES", ()),
        (["B", "M", "E", "S"], "BMES", ()),
        (["B-PER", "M-PER", "E-PER", "W-PER"], "BMEWO", ()),
        (["O", "B-PER", "I-PER", "X"], "IOB", ("X",)),
        (["O", "B-PER", "i-per", "PER"], "IOB", ("PER", "i-per")),
        (["B-X", "I-X", "L-X", "U-X", "E-X"], "BILOU", ("E-X",)),
        (["NN", "VB", "S"], None, ("NN", "S", "VB")),
        (["N", "S-adj", "V"], None, ("N", "S-adj", "V")),
        (["O", "PER", "LOC"], None, ("LOC", "PER")),
    ],
)
def test_the_scheme_is_found_and_stray_tags_are_named(tags, name, stray):
    scheme = find_scheme(tags)
    assert scheme == TagScheme(name, stray)
    assert name in {None, *SCHEMES}
    explanation = scheme.explanation()
    assert bool(explanation) == bool(stray)
    assert all(repr(tag) in explanation for tag in stray)


def test_stray_tags_count_as_outside_and_bare_ones_as_entities():
    scheme = find_scheme(["B-X", "I-X", "Z"])
    assert scheme.to_iobes(["B-X", "I-X", "Z"]) == ["B-X", "I-X", "O"]
    assert entity_scores([["B", "I", "O"]], [["B", "I", "B"]]) == {
        "f1": pytest.approx(2 / 3),
        "precision": 0.5,
        "recall": 1.0,
    }
