"""Stateless random numbers are uniform, independent and reproducible."""

import numpy as np
import pytest

from albert_keras.data.stateless_random import permute, uniform


def test_numbers_are_uniform_and_uncorrelated():
    grid = uniform(1, "test", np.arange(2000), 100)
    assert grid.min() >= 0 and grid.max() < 1
    counts, _ = np.histogram(grid, bins=20)
    assert np.abs(counts / grid.size - 0.05).max() < 0.002
    for other in (
        uniform(2, "test", np.arange(2000), 100),
        uniform(1, "other", np.arange(2000), 100),
        uniform(1, "test", np.arange(2000) + 1, 100),
        np.roll(grid, 1, axis=1),
    ):
        correlation = np.corrcoef(grid.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 0.01


def test_a_row_does_not_depend_on_the_others():
    grid = uniform(5, "test", np.arange(100), 7)
    np.testing.assert_array_equal(uniform(5, "test", [42], 9)[0, :7], grid[42])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 17, 1000, 4096, 4097])
def test_a_permutation_hits_each_position_once(size):
    positions = permute(np.arange(size), size, 0, np.zeros(size, int))
    np.testing.assert_array_equal(np.sort(positions), np.arange(size))


def test_permutations_differ_by_epoch_and_seed():
    positions = np.arange(1000)
    orders = [
        permute(positions, 1000, seed, np.full(1000, epoch))
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (orders[a] == orders[b]).mean() < 0.01
        assert abs(np.corrcoef(orders[a], orders[b])[0, 1]) < 0.1
