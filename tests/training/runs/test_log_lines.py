"""Metrics in a log are found again, each by its own pattern."""

import re

import pytest

from albert_keras.training.runs.log_lines import metric_line, metric_pattern

METRICS = {
    "loss": 9.125,
    "mlm_loss": 8.5,
    "val_loss": 1e-7,
    "learning_rate": 0.00176,
    "tokens_per_second": 3628800.0,
    "tokens_per_second_per_rank": 56700.0,
}
LINE = metric_line(10, METRICS)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("prefix", ["", "[1,0]<stdout>:", "12:00 "])
def test_a_pattern_finds_its_metric_and_no_other(name, prefix):
    found = re.findall(metric_pattern(name), prefix + LINE)
    assert [float(number) for number in found] == [METRICS[name]]


def test_other_lines_and_no_numbers_are_not_found():
    assert LINE.startswith("step=10 loss=9.125 mlm_loss=8.5")
    line = metric_line(1, {"loss": float("nan"), "val_loss": 2.0})
    assert not re.findall(metric_pattern("loss"), line)
    for other in ("loss=2.0", "Update 10: loss=2.0", "step=x loss=2.0"):
        assert not re.findall(metric_pattern("loss"), other)
