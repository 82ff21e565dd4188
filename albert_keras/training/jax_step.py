"""One update, and one step of evaluation, on the JAX backend."""

import jax
import jax.numpy as jnp
import keras


def train_step(model, state, data):
    """Accumulates the gradient over micro-batches and applies it once.

    The micro-batches are a scan: memory and compile time do not grow with
    their number. Gradients add up in float32.

    Args:
        model: A compiled `AccumulatingModel`.
        state: Values of the trainable, non-trainable, optimizer and metric
            variables, as Keras hands them to a stateless step.
        data: `(x, y, sample_weight)` of the whole update.

    Returns:
        The model's metrics so far by name, and the new state.
    """
    trainable, non_trainable, optimizer_values, metric_values = state
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    totals = model.total_weights(targets)
    optimizer = model.optimizer

    def loss_and_sums(trainable, non_trainable, x, targets):
        outputs, non_trainable = model.stateless_call(
            trainable, non_trainable, x, training=True
        )
        sums = model.objective_sums(outputs, targets)
        loss = model.training_loss(sums, totals)
        with keras.StatelessScope(
            list(zip(optimizer.variables, optimizer_values, strict=True))
        ):
            loss = optimizer.scale_loss(loss)
        return loss, (sums, non_trainable)

    gradients, sums, non_trainable = _accumulate(
        jax.grad(loss_and_sums, has_aux=True),
        trainable,
        non_trainable,
        (x, targets),
        model.gradient_accumulation_steps,
    )

    with keras.StatelessScope(
        list(zip(optimizer.variables, optimizer_values, strict=True))
    ):
        learning_rate = optimizer.learning_rate
        scale = _loss_scale(optimizer)
    figures = {
        "learning_rate": learning_rate,
        "gradient_norm": _global_norm(gradients) / scale,
        "weight_norm": _global_norm(trainable),
    }
    trainable, optimizer_values = optimizer.stateless_apply(
        optimizer_values, gradients, trainable
    )
    logs, metric_values = _update_metrics(
        model, metric_values, sums, totals, figures
    )
    return logs, (trainable, non_trainable, optimizer_values, metric_values)


def test_step(model, state, data):
    """Adds a batch to the metrics of evaluation.

    Returns:
        The metrics by name, and the new state.
    """
    trainable, non_trainable, metric_values = state
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    outputs, non_trainable = model.stateless_call(
        trainable, non_trainable, x, training=False
    )
    logs, metric_values = _update_metrics(
        model,
        metric_values,
        model.objective_sums(outputs, targets),
        model.total_weights(targets),
    )
    return logs, (trainable, non_trainable, metric_values)


def feed(dataset):
    """What `fit` and `evaluate` are given: JAX takes any shape, and compiles
    for each."""
    return dataset


def _update_metrics(model, values, sums, totals, figures=None):
    """The metrics by name and the new values of their variables."""
    variables = model.metrics_variables
    with keras.StatelessScope(
        list(zip(variables, values, strict=True))
    ) as scope:
        model.update_metrics.add_sums(sums, totals)
        if figures is None:
            logs = model.update_metrics.objective_results()
        else:
            model.update_metrics.set_last(**figures)
            logs = model.update_metrics.results()
    new = [scope.get_current_value(variable) for variable in variables]
    return logs, [
        old if value is None else value
        for old, value in zip(values, new, strict=True)
    ]


def _accumulate(gradient_of, trainable, non_trainable, batch, steps):
    """Gradients, metric sums and new non-trainable values of the batch."""

    def add_micro_batch(carry, micro_batch):
        non_trainable, accumulated = carry
        gradients, (sums, non_trainable) = gradient_of(
            trainable, non_trainable, *micro_batch
        )
        added = jax.tree.map(
            lambda total, new: total + new.astype("float32"),
            accumulated,
            (gradients, sums),
        )
        return (non_trainable, added), None

    micro_batches = jax.tree.map(lambda array: _split(array, steps), batch)
    shapes = jax.eval_shape(
        gradient_of,
        trainable,
        non_trainable,
        *jax.tree.map(lambda array: array[0], micro_batches),
    )
    gradients, (sums, _) = shapes
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape), (gradients, sums))
    (non_trainable, (gradients, sums)), _ = jax.lax.scan(
        add_micro_batch, (non_trainable, zeros), micro_batches
    )
    return gradients, sums, non_trainable


def _loss_scale(optimizer):
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale.value
    return optimizer.loss_scale_factor or 1.0


def _global_norm(values):
    return jnp.sqrt(sum(jnp.sum(jnp.square(value)) for value in values))


def _split(array, steps):
    """`(B, ...)` as `(steps, B / steps, ...)`, consecutive rows together."""
    rows = array.shape[0]
    if rows % steps:
        raise ValueError(
            "`gradient_accumulation_steps` must divide the number of rows in "
            f"a batch. Received: {rows} rows, "
            f"gradient_accumulation_steps={steps}."
        )
    return array.reshape(steps, rows // steps, *array.shape[1:])
