"""N-gram masking: statistics over many n-grams, and edge cases."""

import numpy as np
import pytest

from albert_keras.data.pretraining.ngram_masking import NgramMasking

VOCABULARY, MASK, FIRST_TEXT = 1000, 4, 5


def make_rows(rng, rows=6000, length=128):
    """Rows of two segments; a token begins a word with probability 0.7."""
    ids = rng.integers(FIRST_TEXT, VOCABULARY, (rows, length)).astype("int32")
    starts = rng.random((rows, length)) < 0.7
    middle = rng.integers(20, 100, rows)[:, None]
    column = np.arange(length)
    segments = (column > middle).astype("int32").repeat(1, 0)
    is_text = np.broadcast_to((column > 0) & (column < length - 1), ids.shape)
    is_text = is_text & (column != middle)
    starts[:, 1] = True
    np.put_along_axis(starts, np.minimum(middle + 1, length - 1), True, axis=1)
    ids[~is_text] = 3
    return ids, is_text, starts & is_text, np.broadcast_to(segments, ids.shape)


@pytest.fixture(scope="module")
def masked():
    rng = np.random.default_rng(0)
    rows = make_rows(rng)
    masking = NgramMasking(VOCABULARY, MASK, max_predictions=20, seed=3)
    return rows, masking(np.arange(len(rows[0])), *rows)


def test_lengths_are_drawn_in_proportion_to_one_over_n(masked):
    _, (*_, spans) = masked
    assert len(spans.drawn) > 50_000
    expected = np.array([6, 3, 2]) / 11
    share = np.bincount(spans.drawn, minlength=4)[1:] / len(spans.drawn)
    np.testing.assert_allclose(share, expected, atol=0.01)
    uniforms = np.random.default_rng(1).random(100_000)
    masking = NgramMasking(VOCABULARY, MASK, 20)
    share = np.bincount(masking.draw_lengths(uniforms))[1:] / len(uniforms)
    np.testing.assert_allclose(share, expected, atol=0.01)


def test_spans_are_shortened_but_never_lengthened(masked):
    _, (*_, spans) = masked
    assert (spans.kept >= 1).all() and (spans.kept <= spans.drawn).all()
    assert (spans.kept == spans.drawn).mean() > 0.8


def test_fifteen_percent_of_the_pieces_are_predicted(masked):
    (_, is_text, _, _), (_, _, _, weights, _) = masked
    assert weights.sum() / is_text.sum() == pytest.approx(0.15, abs=0.005)
    assert (weights.sum(axis=1) <= 20).all()


def test_pieces_are_masked_replaced_and_kept_80_10_10(masked):
    (ids, *_), (masked_ids, positions, labels, weights, _) = masked
    real = weights > 0
    after = np.take_along_axis(masked_ids, positions, axis=1)[real]
    before = labels[real]
    assert (after == MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (after == before).mean() == pytest.approx(0.1, abs=0.01)
    other = (after != MASK) & (after != before)
    assert other.mean() == pytest.approx(0.1, abs=0.01)
    # Uniform over all ids, special tokens included.
    random_ids = after[other]
    assert random_ids.mean() == pytest.approx(VOCABULARY / 2, rel=0.02)
    assert random_ids.min() < FIRST_TEXT


def test_labels_and_slots_say_what_was_there(masked):
    (ids, *_), (masked_ids, positions, labels, weights, _) = masked
    real = weights > 0
    at_positions = np.take_along_axis(ids, positions, axis=1)
    np.testing.assert_array_equal(at_positions[real], labels[real])
    assert (positions[~real] == 0).all() and (labels[~real] == 0).all()
    for row in range(200):
        count = int(weights[row].sum())
        assert (weights[row, :count] == 1).all()
        assert (np.diff(positions[row, :count]) > 0).all()
    untouched = np.ones(ids.shape, bool)
    np.put_along_axis(untouched, positions, False, axis=1)
    np.testing.assert_array_equal(masked_ids[untouched], ids[untouched])


def test_words_are_predicted_whole_and_special_tokens_never(masked):
    (_, is_text, starts, _), (_, positions, _, weights, _) = masked
    chosen = np.zeros(is_text.shape, bool)
    np.put_along_axis(chosen, positions, weights > 0, axis=1)
    chosen[:, 0] = False  # the position of empty slots
    assert not (chosen & ~is_text).any()
    for row in range(500):
        word = np.cumsum(starts[row])
        for number in np.unique(word[chosen[row]]):
            tokens = is_text[row] & (word == number)
            assert chosen[row][tokens].all()


def test_every_piece_is_as_likely_to_be_predicted(masked):
    (_, is_text, _, _), (_, positions, _, weights, _) = masked
    chosen = np.zeros(is_text.shape)
    np.add.at(
        chosen,
        (np.arange(len(chosen))[:, None], positions),
        weights,
    )
    rates = chosen[:, 5:120].sum(axis=0) / is_text[:, 5:120].sum(axis=0)
    assert rates.min() > 0.125 and rates.max() < 0.175


def test_rows_do_not_depend_on_their_batch(rng):
    rows = make_rows(rng, rows=50)
    masking = NgramMasking(VOCABULARY, MASK, max_predictions=20, seed=3)
    together = masking(np.arange(50), *rows)
    alone = masking(np.arange(20, 30), *(a[20:30] for a in rows))
    for a, b in zip(together[:4], alone[:4], strict=True):
        np.testing.assert_array_equal(a[20:30], b)


def test_short_and_empty_rows_are_no_trouble():
    ids = np.full((3, 6), 9, "int32")
    is_text = np.zeros((3, 6), bool)
    is_text[0, 1] = is_text[1, 1:3] = True
    starts = is_text.copy()
    starts[1, 2] = False  # a word of two tokens, with a budget of one
    segments = np.zeros((3, 6), "int32")
    masking = NgramMasking(VOCABULARY, MASK, max_predictions=4)
    _, _, _, weights, _ = masking(np.arange(3), ids, is_text, starts, segments)
    np.testing.assert_array_equal(weights.sum(axis=1), [1, 0, 0])
