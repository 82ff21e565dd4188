"""Batches of examples of different lengths."""

import numpy as np
import pytest

from albert_keras.data.tasks.example_batches import (
    EvaluationBatches,
    Examples,
    TrainingBatches,
)


class Rows(Examples):
    """Row i repeats the number i up to its length."""

    sequence_length = 30

    def __init__(self, count, seed=0):
        self.lengths = np.random.default_rng(seed).integers(3, 31, count)

    def batch(self, indices, width):
        inside = np.arange(width) < self.lengths[indices, None]
        return {"x": np.where(inside, indices[:, None], -1)}, None


def rows_of(batches, steps):
    return np.concatenate([batches.indices(step) for step in steps])


@pytest.mark.parametrize("grouped", [False, True])
def test_each_example_comes_once_in_a_pass(grouped):
    batches = TrainingBatches(Rows(40), 4, seed=3, group_by_length=grouped)
    # A pool of 50 batches contains five passes.
    passes = rows_of(batches, range(50))
    assert np.bincount(passes).tolist() == [5] * 40
    if not grouped:
        for number in range(5):
            one = passes[number * 40 : (number + 1) * 40]
            assert sorted(one) == list(range(40))
    assert batches.steps_per_pass == 10
    other = TrainingBatches(Rows(40), 4, seed=4, group_by_length=grouped)
    assert rows_of(other, range(5)).tolist() != passes[:20].tolist()


@pytest.mark.parametrize("grouped", [False, True])
def test_ranks_together_have_the_rows_of_one(grouped):
    rows = Rows(70)
    one = TrainingBatches(rows, 12, group_by_length=grouped)
    for step in (0, 7, 60):
        shares = [
            TrainingBatches(
                rows, 4, rank=rank, size=3, group_by_length=grouped
            ).indices(step)
            for rank in range(3)
        ]
        assert sorted(np.concatenate(shares)) == sorted(one.indices(step))


@pytest.mark.parametrize("grouped", [False, True])
def test_a_resumed_run_goes_on_with_the_batch_it_would_have_had(grouped):
    rows = Rows(33)
    whole = TrainingBatches(rows, 5, group_by_length=grouped)
    resumed = TrainingBatches(rows, 5, first_step=48, group_by_length=grouped)
    for index in range(5):
        np.testing.assert_array_equal(
            resumed[index][0]["x"], whole[48 + index][0]["x"]
        )


def test_grouping_leaves_little_padding():
    rows = Rows(2000)
    shares = []
    for grouped in (False, True):
        batches = TrainingBatches(
            rows, 16, group_by_length=grouped, padding_multiple=1
        )
        used = padded = 0
        for index in range(50):
            array = batches[index][0]["x"]
            used += (array >= 0).sum()
            padded += array.size
        shares.append(used / padded)
    assert shares[0] < 0.65 and shares[1] > 0.97


def test_batches_are_padded_to_a_multiple_but_never_beyond_the_longest():
    rows = Rows(50)
    batches = TrainingBatches(rows, 3, padding_multiple=8)
    for index in range(20):
        longest = rows.lengths[batches.indices(index)].max()
        width = batches[index][0]["x"].shape[1]
        assert width == min(-(-longest // 8) * 8, 30)


def test_evaluation_sees_each_example_once_and_the_longest_first():
    rows = Rows(23)
    shares = [EvaluationBatches(rows, 4, rank=r, size=2) for r in (0, 1)]
    seen = np.concatenate(
        [rows_of(share, range(share.num_batches)) for share in shares]
    )
    assert sorted(seen) == list(range(23))
    for share in shares:
        lengths = rows.lengths[share.order]
        assert (np.diff(lengths) <= 0).all()


def test_long_rows_share_a_batch_with_few_others():
    rows = Rows(100)
    batches = EvaluationBatches(rows, 16, padding_multiple=8, max_tokens=128)
    seen = []
    for number in range(batches.num_batches):
        indices = batches.indices(number)
        width = batches.width(indices)
        assert len(indices) <= 16
        assert len(indices) == 1 or len(indices) * width <= 128
        if number < batches.num_batches - 1:
            assert (len(indices) + 1) * width > 128 or len(indices) == 16
        seen.extend(indices)
    assert sorted(seen) == list(range(100))


def test_more_ranks_than_examples_leave_some_without_any():
    batches = EvaluationBatches(Rows(1), 4, rank=1, size=2)
    assert batches.num_batches == 0


@pytest.mark.parametrize(
    "kwargs", [dict(batch_size=0), dict(batch_size=1, rank=2, size=2)]
)
def test_numbers_out_of_range_are_refused(kwargs):
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        TrainingBatches(Rows(3), **kwargs)
    with pytest.raises(ValueError, match="There are no examples"):
        EvaluationBatches(Rows(0), 1)
