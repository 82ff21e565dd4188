"""Documents are cut into sequences, sequences into segment pairs."""

import numpy as np
import pytest

from albert_keras.data.sentence_order import (
    cut_into_sequences,
    draw_segment_pairs,
)


def offsets(lengths):
    return np.concatenate([[0], np.cumsum(lengths)])


@pytest.fixture
def text(rng):
    """Sentences of one to forty tokens in documents of one to thirty."""
    sentences = offsets(rng.integers(1, 40, 4000))
    cuts = np.sort(rng.choice(np.arange(1, 4000), 300, replace=False))
    return sentences, np.concatenate([[0], cuts, [4000]])


def test_sequences_cover_every_document_without_gap_or_overlap(text):
    sentences, documents = text
    found = cut_into_sequences(sentences, documents, np.arange(301), 64)
    covered = np.concatenate(
        [np.arange(a, b) for a, b in zip(found.first, found.end, strict=True)]
    )
    lengths = np.diff(sentences[documents])
    kept = np.concatenate(
        [
            np.arange(documents[d], documents[d + 1])
            for d in range(301)
            if lengths[d] >= 2
        ]
    )
    np.testing.assert_array_equal(covered, kept)
    bounds = set(documents.tolist())
    for first, end in zip(found.first, found.end, strict=True):
        assert not bounds & set(range(first + 1, end)), "crosses a document"


def test_a_sequence_ends_as_soon_as_it_is_full(text):
    sentences, documents = text
    found = cut_into_sequences(sentences, documents, np.arange(301), 64)
    last = np.isin(found.end, documents)
    tokens = sentences[found.end] - sentences[found.first]
    without_last = sentences[found.end - 1] - sentences[found.first]
    assert (tokens[~last] >= 61 - 40).all()
    assert (without_last[~last] < 61).all()


def test_no_sentence_is_left_alone_at_the_end_of_a_document():
    sentences = offsets([10, 10, 10, 10, 10])
    cases = {29: [(0, 3), (3, 5)], 39: [(0, 3), (3, 5)], 22: [(0, 3), (3, 5)]}
    for budget, expected in cases.items():
        found = cut_into_sequences(
            sentences, np.array([0, 5]), np.array([0]), budget + 3
        )
        pairs = list(zip(found.first.tolist(), found.end.tolist(), strict=True))
        assert pairs == expected, budget
    found = cut_into_sequences(
        offsets([10, 10, 10]), np.array([0, 3]), np.array([0]), 18 + 3
    )
    assert found.end.tolist() == [3]


def draw(text, rows=20_000, length=64, short=0.1, seed=0):
    sentences, documents = text
    found = cut_into_sequences(
        sentences, documents, np.arange(len(documents) - 1), length
    )
    chosen = np.arange(rows) % len(found)
    pairs = draw_segment_pairs(
        np.arange(rows),
        found.first[chosen],
        found.end[chosen],
        sentences,
        lambda positions: positions % 3 == 0,
        length,
        short,
        seed,
    )
    return found.first[chosen], found.end[chosen], sentences, pairs


def test_segments_fit_lie_in_their_sequence_and_do_not_overlap(text):
    first, end, sentences, pairs = draw(text)
    ends = {
        "first": pairs.first_start + pairs.first_length,
        "second": pairs.second_start + pairs.second_length,
    }
    assert (pairs.first_length >= 1).all() and (pairs.second_length >= 1).all()
    assert (pairs.first_length + pairs.second_length <= 61).all()
    for start in (pairs.first_start, pairs.second_start):
        assert (start >= sentences[first]).all()
    for stop in ends.values():
        assert (stop <= sentences[end]).all()
    in_order = ends["first"] <= pairs.second_start
    swapped = ends["second"] <= pairs.first_start
    np.testing.assert_array_equal(in_order, pairs.labels == 0)
    np.testing.assert_array_equal(swapped, pairs.labels == 1)


def test_half_of_the_pairs_are_swapped_single_sentences_included(text):
    first, end, _, pairs = draw(text, rows=40_000)
    assert pairs.labels.mean() == pytest.approx(0.5, abs=0.01)
    single = end - first == 1
    assert single.sum() > 500
    assert pairs.labels[single].mean() == pytest.approx(0.5, abs=0.04)


def test_cuts_are_spread_evenly_over_the_sentences():
    sentences, documents = offsets([5] * 6), np.array([0, 6])
    *_, pairs = draw((sentences, documents), length=64, short=0.0)
    cuts = np.where(pairs.labels == 0, pairs.second_start, pairs.first_start)
    places, counts = np.unique(cuts, return_counts=True)
    np.testing.assert_array_equal(places, [5, 10, 15, 20, 25])
    np.testing.assert_allclose(counts / counts.sum(), 0.2, atol=0.01)


def test_a_single_sentence_is_cut_where_a_word_begins():
    *_, pairs = draw((offsets([30]), np.array([0, 1])), rows=500, short=0.0)
    cuts = np.where(pairs.labels == 0, pairs.second_start, pairs.first_start)
    assert (cuts % 3 == 0).all() and len(set(cuts.tolist())) > 5


def test_what_is_too_much_is_lost_by_the_longer_at_both_ends():
    sentences, documents = offsets([80, 20]), np.array([0, 2])
    *_, pairs = draw((sentences, documents), rows=4000, length=64, short=0.0)
    longer = np.maximum(pairs.first_length, pairs.second_length)
    shorter = np.minimum(pairs.first_length, pairs.second_length)
    assert (longer == 41).all() and (shorter == 20).all()
    starts = np.minimum(pairs.first_start, pairs.second_start)
    assert starts.mean() == pytest.approx(39 / 2, abs=0.5)


def test_short_sequences_come_with_their_probability():
    sentences, documents = offsets([5] * 390), np.array([0, 390])
    *_, pairs = draw((sentences, documents), rows=10_000, short=0.3)
    full = pairs.first_length + pairs.second_length > 55
    # 0.3, of which a few happen to draw a target of almost full length.
    assert 0.27 < 1 - full.mean() < 0.31
    *_, pairs = draw((sentences, documents), rows=1000, short=0.0)
    assert (pairs.first_length + pairs.second_length > 55).all()
