"""The learning-rate schedule: linear warm-up, then polynomial decay."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("albert_keras")
class WarmupPolynomialDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from zero to a peak, then polynomial decay to an end.

    For update s = 0, 1, ..., with W `warmup_steps` and N `total_steps`:

        s <= W:  peak * s / W
        s >  W:  end + (peak - end) * ((N - s) / (N - W)) ** power

    and `end_learning_rate` from N on. If W > 0 the first update has rate 0, as
    in Google's release and in the AWS sample. In Google's schedule the decay
    counts from step 0, so that the rate drops at the end of the warm-up; here
    it does not.

    Args:
        peak_learning_rate: Learning rate at the end of the warm-up. The
            paper's 0.00176 is for LAMB and batches of 4096.
        warmup_steps: W, number of warm-up updates (ALBERT: 3,125).
        total_steps: N, total number of updates (ALBERT: 125,000).
        end_learning_rate: Learning rate from N on (Google: 0; AWS sample:
            3e-5).
        power: Exponent of the decay; 1 is linear.
        name: Name of the schedule.

    Raises:
        ValueError: If the steps or the rates are out of range.
    """

    def __init__(
        self,
        peak_learning_rate: float = 0.00176,
        warmup_steps: int = 3125,
        total_steps: int = 125000,
        end_learning_rate: float = 0.0,
        power: float = 1.0,
        name: str = "warmup_polynomial_decay",
    ) -> None:
        super().__init__()
        if not 0 <= warmup_steps < total_steps:
            raise ValueError(
                "`warmup_steps` must be at least 0 and below `total_steps`. "
                f"Received: warmup_steps={warmup_steps}, "
                f"total_steps={total_steps}."
            )
        if not 0 <= end_learning_rate <= peak_learning_rate:
            raise ValueError(
                "`end_learning_rate` must be between 0 and "
                "`peak_learning_rate`. Received: end_learning_rate="
                f"{end_learning_rate}, peak_learning_rate="
                f"{peak_learning_rate}."
            )
        self.peak_learning_rate = peak_learning_rate
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.name = name

    def __call__(self, step):
        step = ops.cast(step, "float32")
        peak, end = self.peak_learning_rate, self.end_learning_rate
        warm = peak * step / max(self.warmup_steps, 1)
        remaining = (self.total_steps - step) / (
            self.total_steps - self.warmup_steps
        )
        remaining = ops.clip(remaining, 0.0, 1.0)
        decayed = end + (peak - end) * ops.power(remaining, self.power)
        return ops.where(step < self.warmup_steps, warm, decayed)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak_learning_rate": self.peak_learning_rate,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "name": self.name,
        }
