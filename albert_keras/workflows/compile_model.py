"""From settings to a compiled model: schedule, optimizer and step."""

from albert_keras.optimizers import Lamb, WarmupPolynomialDecay, adamw


def compile_model(
    settings,
    model,
    peak_learning_rate,
    warmup_steps,
    total_steps,
    **optimizer_arguments,
):
    """Compiles a model as pretraining and fine-tuning do.

    Args:
        settings: `PretrainingSettings` or `FinetuningSettings`.
        model: An `AccumulatingModel`.
        peak_learning_rate, warmup_steps, total_steps: Of the schedule.
        **optimizer_arguments: More than both have in common.
    """
    arguments = dict(
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
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        gradient_compression=None if compression == "none" else compression,
        run_eagerly=settings.eager,
        jit_compile=False if settings.skip_xla or settings.eager else "auto",
    )
