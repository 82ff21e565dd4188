"""The learning-rate schedule equals its formula."""

import keras
import pytest

from albert_keras.optimizers import WarmupPolynomialDecay


def formula(step, peak, warmup, total, end, power):
    """The AWS sample's schedule, constant after its end."""
    if step <= warmup and warmup:
        return peak * step / warmup
    left = max(total - step, 0) / (total - warmup)
    return end + (peak - end) * left**power


@pytest.mark.parametrize(
    "arguments",
    [
        (0.00176, 3125, 125000, 3e-5, 1.0),
        (0.001, 10, 100, 0.0, 2.0),
        (0.5, 0, 7, 0.1, 0.5),
    ],
)
def test_every_step_equals_the_formula(arguments):
    schedule = WarmupPolynomialDecay(*arguments)
    _, warmup, total, _, _ = arguments
    steps = {0, 1, warmup - 1, warmup, warmup + 1, total // 2, total - 1}
    for step in sorted({*steps, total, total + 5} - {-1}):
        assert float(schedule(step)) == pytest.approx(
            formula(step, *arguments), rel=1e-5, abs=1e-9
        )


def test_the_configuration_names_every_argument():
    schedule = WarmupPolynomialDecay(0.1, 2, 10, 0.01, 3.0, name="s")
    serialized = keras.optimizers.schedules.serialize(schedule)
    copy = keras.optimizers.schedules.deserialize(serialized)
    assert copy.get_config() == schedule.get_config()
    assert float(copy(6)) == float(schedule(6))
    assert set(schedule.get_config()) == {
        "peak_learning_rate",
        "warmup_steps",
        "total_steps",
        "end_learning_rate",
        "power",
        "name",
    }


def test_steps_and_rates_out_of_range_are_refused():
    with pytest.raises(ValueError, match="warmup_steps=10, total_steps=10"):
        WarmupPolynomialDecay(0.1, 10, 10)
    with pytest.raises(ValueError, match="end_learning_rate=0.2"):
        WarmupPolynomialDecay(0.1, 1, 10, end_learning_rate=0.2)
