"""The learning rate scales with the square root of the batch size."""

import pytest

from albert_keras.optimizers import square_root_scaling


def test_the_published_rate_is_that_of_the_published_rule():
    # LAMB's paper, table for BERT: 5 / (2^1.5 x 10^3) at 4096 rows.
    assert square_root_scaling(4096) == 0.00176
    assert square_root_scaling(4096) == pytest.approx(
        5 / (2**1.5 * 1e3), rel=0.005
    )
    assert square_root_scaling(1024) == 0.00088
    assert square_root_scaling(64, 0.01, 16) == 0.02


def test_a_batch_that_is_none_is_refused():
    with pytest.raises(ValueError, match="must be positive. Received: 0"):
        square_root_scaling(0)
