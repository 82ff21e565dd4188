"""LAMB, AdamW with ALBERT's exclusions, and learning-rate schedules."""

from albert_keras.optimizers.adamw import adamw
from albert_keras.optimizers.lamb import Lamb
from albert_keras.optimizers.layer_wise_decay import layer_wise_factors
from albert_keras.optimizers.learning_rate_scaling import square_root_scaling
from albert_keras.optimizers.warmup_polynomial_decay import (
    WarmupPolynomialDecay,
)

__all__ = [
    "Lamb",
    "WarmupPolynomialDecay",
    "adamw",
    "layer_wise_factors",
    "square_root_scaling",
]
