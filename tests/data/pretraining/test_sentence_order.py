"""Splitting documents into sequences, and sequences into segment pairs."""

import numpy as np
import pytest

from albert_keras.data.pretraining.sentence_order import (
    cut_into_sequences,
    draw_segment_pairs,
)


def offsets(lengths):
    return np.concatenate([[0], np.cumsum(lengths)])


@pytest.fixture
def text(rng):
    """Offsets of 4,000 sentences of 1 to 39 tokens in 301 documents."""
    sentences = offsets(rng.integers(1, 40, 4000))
    cuts = np.sort(rng.choice(np.arange(1, 4000), 300, replace=False))
    return sentences, np.concatenate([[0], cuts, [4000]])


@pytest.mark.parametrize("short", [0.0, 0.4])
def test_sequences_take_every_token_of_a_document_once(text, short):
    sentences, documents = text
    found = cut_into_sequences(
        sentences, documents, np.arange(301), 64, short, seed=1
    )
    ends = found.start + found.length
    covered = np.concatenate(
        [np.arange(a, b) for a, b in zip(found.start, ends, strict=True)]
    )
    bounds = sentences[documents]
    expected = [
        np.arange(a, b)
        for a, b in zip(bounds[:-1], bounds[1:], strict=True)
        if b - a >= 2
    ]
    np.testing.assert_array_equal(covered, np.concatenate(expected))
    assert found.length.min() >= 2 and found.length.max() <= 61
    inner = set(bounds.tolist())
    for start, end in zip(found.start.tolist(), ends.tolist(), strict=True):
        assert not inner & set(range(start + 1, end)), "crosses a document"


def test_sequences_end_with_a_sentence_unless_that_leaves_a_third_empty(text):
    sentences, documents = text
    found = cut_into_sequences(sentences, documents, np.arange(301), 64)
    end = found.start + found.length
    bounds = sentences[documents]
    left = bounds[np.searchsorted(bounds, found.start, "right")] - end
    inside, at_end = left > 80, np.isin(end, sentences)
    assert inside.sum() > 500
    assert (found.length[inside] >= 61 * 2 / 3).all()
    assert (found.length[inside & ~at_end] == 61).all()
    for start, stop in zip(
        found.start[inside & ~at_end], end[inside & ~at_end], strict=True
    ):
        last = sentences[np.searchsorted(sentences, stop) - 1]
        assert last < start + 61 * 2 / 3 + 1, "a sentence end would do"
    # Sequences with room for many sentences never split one.
    found = cut_into_sequences(sentences, documents, np.arange(301), 512)
    assert np.isin(found.start, sentences).all()


def test_the_last_two_sentences_of_a_document_stay_together():
    sentences = offsets([10, 10, 10, 10, 10])
    # Tokens per sequence and expected bounds; 15 do not fit two sentences.
    cases = {45: [0, 30, 50], 29: [0, 20, 30, 50], 15: [0, 10, 20, 30]}
    for budget, expected in cases.items():
        found = cut_into_sequences(
            sentences, np.array([0, 5]), np.array([0]), budget + 3
        )
        bounds = [0, *(found.start + found.length).tolist()]
        assert bounds[: len(expected)] == expected, budget


def test_no_token_is_left_alone():
    for tokens, lengths in ((30, [28, 2]), (31, [29, 2]), (59, [29, 28, 2])):
        found = cut_into_sequences(
            offsets([tokens]), np.array([0, 1]), np.array([0]), 29 + 3
        )
        assert found.length.tolist() == lengths


def draw(text, rows=20_000, length=64, short=0.1, seed=0):
    sentences, documents = text
    found = cut_into_sequences(
        sentences,
        documents,
        np.arange(len(documents) - 1),
        length,
        short,
        seed,
    )
    chosen = np.arange(rows) % len(found)
    start, count = found.start[chosen], found.length[chosen].astype("int64")
    pairs = draw_segment_pairs(
        np.arange(rows),
        start,
        count,
        sentences,
        lambda positions: positions % 3 == 0,
        seed,
    )
    return start, start + count, sentences, pairs


def test_the_segments_of_a_sequence_are_all_of_it(text):
    start, stop, _, pairs = draw(text)
    assert (pairs.first_length >= 1).all() and (pairs.second_length >= 1).all()
    swapped = pairs.labels == 1
    a_start = np.where(swapped, pairs.second_start, pairs.first_start)
    a_length = np.where(swapped, pairs.second_length, pairs.first_length)
    b_start = np.where(swapped, pairs.first_start, pairs.second_start)
    b_length = np.where(swapped, pairs.first_length, pairs.second_length)
    np.testing.assert_array_equal(a_start, start)
    np.testing.assert_array_equal(a_start + a_length, b_start)
    np.testing.assert_array_equal(b_start + b_length, stop)


def test_half_of_the_pairs_are_swapped_single_sentences_included(text):
    start, stop, sentences, pairs = draw(text, rows=40_000)
    assert pairs.labels.mean() == pytest.approx(0.5, abs=0.01)
    inside = np.searchsorted(sentences, stop) - np.searchsorted(
        sentences, start, "right"
    )
    single = inside == 0
    assert single.sum() > 500
    assert pairs.labels[single].mean() == pytest.approx(0.5, abs=0.04)


def test_pairs_are_cut_between_sentences_where_there_are_two(text):
    start, stop, sentences, pairs = draw(text)
    cuts = np.where(pairs.labels == 0, pairs.second_start, pairs.first_start)
    inside = np.searchsorted(sentences, stop) - np.searchsorted(
        sentences, start, "right"
    )
    assert np.isin(cuts[inside > 0], sentences).all()


def test_at_full_length_the_end_of_a_segment_does_not_tell_the_order(text):
    start, stop, sentences, pairs = draw(text, 10_000, length=512, short=0.0)
    inside = np.searchsorted(sentences, stop) - np.searchsorted(
        sentences, start, "right"
    )
    ends = np.isin(pairs.first_start + pairs.first_length, sentences)
    assert ends[inside > 0].all()


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


def test_short_sequences_come_with_their_probability():
    sentences, documents = offsets([1] * 99_000), np.array([0, 99_000])
    for probability in (0.0, 0.1, 0.3):
        found = cut_into_sequences(
            sentences, documents, np.array([0]), 64, probability, seed=2
        )
        short = found.length[:-2] < 61
        # One in 60 of the short lengths drawn is the full length.
        assert short.mean() == pytest.approx(probability * 59 / 60, abs=0.012)
        if probability:
            drawn = found.length[:-2][short]
            assert drawn.mean() == pytest.approx((2 + 60) / 2, abs=1.5)
