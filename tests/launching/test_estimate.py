"""Estimated run time and cost, compared with manual calculations."""

import pytest

from albert_keras.launching.estimate import Workload, estimate
from albert_keras.launching.instance_types import instance_type
from albert_keras.launching.job_plan import accumulation_for

WORK = Workload(
    updates=125000,
    global_batch_size=4096,
    sequence_length=512,
    model_size="base",
)
P3DN = instance_type("ml.p3dn.24xlarge")


def test_what_the_sample_measured_gives_the_hours_it_took():
    # Its README: 144, 75, 38 and 20 hours for 125,000 updates.
    for nodes, hours in ((1, 144), (2, 75), (4, 38), (8, 20)):
        assert estimate(WORK, nodes, P3DN).hours == pytest.approx(hours, 0.02)


def test_a_given_throughput_and_price_come_first():
    expected = estimate(WORK, 2, P3DN, tokens_per_second=1e6, price_per_hour=30)
    hours = 125000 * 4096 * 512 / 1e6 / 3600
    assert expected.hours == pytest.approx(hours)
    assert expected.cost == pytest.approx(hours * 2 * 30)
    assert "72.8 hours at 1,000,000 tokens a second (given)" in str(expected)
    assert "4,369.07 for the instances" in str(expected)


@pytest.mark.parametrize(
    "work, nodes, name",
    [
        (WORK, 3, "ml.p3dn.24xlarge"),
        (WORK, 1, "ml.p4d.24xlarge"),
        (Workload(1, 1, 128, "base"), 1, "ml.p3dn.24xlarge"),
        (Workload(1, 1, 512, "large"), 1, "ml.p3dn.24xlarge"),
    ],
)
def test_what_nobody_measured_is_not_made_up(work, nodes, name):
    expected = estimate(work, nodes, instance_type(name), price_per_hour=1)
    assert expected.hours is None and expected.cost is None
    assert "pass `tokens_per_second`" in str(expected)


def test_a_global_batch_is_shared_out_or_refused():
    assert accumulation_for(4096, 32, 64) == 2
    assert accumulation_for(4096, 32, 8) == 16
    with pytest.raises(ValueError, match="32` = 2,048. Pass 4,096 or 6,144"):
        accumulation_for(5000, 32, 64)
    with pytest.raises(ValueError, match="Pass 2,048 or 4,096"):
        accumulation_for(100, 32, 64)
