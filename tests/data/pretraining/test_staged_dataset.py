"""Stages of short and long sequences from the same store."""

import numpy as np
import pytest

from albert_keras.data import PretrainingDataset, StagedDataset


@pytest.fixture
def stages(store):
    return [
        (PretrainingDataset(store, 16, 8), 5),
        (PretrainingDataset(store, 48, 4), None),
    ]


def test_each_stage_has_its_steps_and_begins_with_its_first_batch(stages):
    (short, _), (long, _) = stages
    dataset = StagedDataset(stages)
    expected = {0: short[0], 4: short[4], 5: long[0], 9: long[4]}
    for step, batch in expected.items():
        for mine, theirs in zip(dataset[step], batch, strict=True):
            for name in theirs:
                np.testing.assert_array_equal(mine[name], theirs[name])
    assert dataset.num_batches is None


def test_a_resumed_run_goes_on_in_the_right_stage(stages):
    resumed = StagedDataset(stages, first_step=3)
    shapes = [resumed[index][0]["token_ids"].shape for index in range(4)]
    assert shapes == [(8, 16), (8, 16), (4, 48), (4, 48)]
    finite = StagedDataset([stages[0], (stages[1][0], 7)], first_step=3)
    assert finite.num_batches == 9


def test_only_the_last_stage_may_be_endless(stages):
    with pytest.raises(ValueError, match=r"Received: steps \[None, 5\]"):
        StagedDataset(stages[::-1])
    with pytest.raises(
        ValueError, match="must be pairs of a dataset and its steps"
    ):
        StagedDataset([])
