"""Compiles a model with the schedule and optimizer of the settings."""

from typing import Any

from albert_keras.optimizers import Lamb, WarmupPolynomialDecay, adamw
from albert_keras.training.steps.accumulating_model import AccumulatingModel
from albert_keras.workflows.settings.run_settings import RunSettings


def compile_model(
    settings: RunSettings,
    model: AccumulatingModel,
    peak_learning_rate: float,
    warmup_steps: int,
    total_steps: int,
    loss: Any = None,
    **optimizer_arguments: Any,
) -> None:
    """Compiles a model for pretraining or fine-tuning.

    Args:
        settings: Settings of the run.
        model: The model.
        peak_learning_rate, warmup_steps, total_steps: Of the schedule.
        loss: As for `compile`; None is the model's own.
        **optimizer_arguments: Further arguments of the optimizer.
    """
    arguments: dict[str, Any] = dict(
        learning_rate=WarmupPolynomialDecay(
            peak_learning_rate,
            warmup_steps,
            total_steps,
            settings.end_learning_rate,
            settings.learning_rate_decay_power,
        ),
        weight_decay=settings.weight_decay,
        epsilon=settings.epsilon,
        global_clipnorm=settings.max_grad_norm,
        **optimizer_arguments,
    )
    if settings.optimizer == "lamb":
        optimizer = Lamb(**arguments)
    else:
        optimizer = adamw(model.trainable_variables, **arguments)
    model.backbone.remat = settings.remat
    compression = settings.gradient_compression
    model.compile(
        optimizer,
        loss=loss,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        gradient_compression=None if compression == "none" else compression,
        run_eagerly=settings.eager,
        jit_compile=False if settings.skip_xla or settings.eager else "auto",
    )
