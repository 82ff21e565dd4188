"""The training step and the test step of the JAX backend."""

import functools

import jax
import jax.numpy as jnp
import keras
from jax.sharding import NamedSharding, PartitionSpec

from albert_keras.training import distributed
from albert_keras.training.steps.micro_batches import pad_rows
from albert_keras.training.steps.random_state import SEED_STEP, is_random_state

try:
    _shard_map = functools.partial(jax.shard_map, check_vma=False)
except AttributeError:  # JAX before 0.6
    from jax.experimental.shard_map import shard_map

    _shard_map = functools.partial(shard_map, check_rep=False)


def train_step(model, state, data):
    """Accumulates the gradient over micro-batches and applies it once.

    A scan runs over the micro-batches: memory and compile time do not grow
    with their number. Gradients are summed in float32. On several devices
    each scans its share of the rows, followed by one all-reduce.

    Args:
        model: A compiled `AccumulatingModel`.
        state: Values of the trainable, non-trainable, optimizer and metric
            variables, as Keras passes them to a stateless step.
        data: `(x, y, sample_weight)` of the whole update.

    Returns:
        The model's metrics so far, by name, and the new state.
    """
    trainable, non_trainable, optimizer_values, metric_values = state
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    totals = model.total_weights(targets)
    optimizer, own = model.optimizer, model.update_metrics.own
    parts = model.gradient_accumulation_steps * num_replicas()

    def loss_and_sums(trainable, carried, x, targets):
        non_trainable, own_values = carried
        outputs, non_trainable, layer_losses = model.stateless_call(
            trainable, non_trainable, x, training=True, return_losses=True
        )
        sums = model.objective_sums(outputs, targets, layer_losses, parts)
        loss = model.training_loss(sums, totals)
        with keras.StatelessScope(
            list(zip(optimizer.variables, optimizer_values, strict=True))
        ):
            loss = optimizer.scale_loss(loss)
        own_values = _update_own(own, own_values, outputs, targets)
        return loss, (sums, (non_trainable, own_values))

    accumulate = functools.partial(
        _accumulate,
        jax.grad(loss_and_sums, has_aux=True),
        model.gradient_accumulation_steps,
    )
    if distributed.devices() > 1:
        accumulate = _accumulate_on_each_device(accumulate, model)
    gradients, sums, (non_trainable, own_values) = accumulate(
        trainable,
        (non_trainable, _own_values(model, metric_values)),
        pad_rows(x, targets, parts),
    )

    with keras.StatelessScope(
        list(zip(optimizer.variables, optimizer_values, strict=True))
    ):
        learning_rate = keras.ops.convert_to_tensor(optimizer.learning_rate)
        scale = _loss_scale(optimizer)
    last_values = {
        "learning_rate": learning_rate,
        "gradient_norm": _global_norm(gradients) / scale,
        "weight_norm": _global_norm(trainable),
    }
    trainable, optimizer_values = optimizer.stateless_apply(
        optimizer_values, gradients, trainable
    )
    logs, metric_values = _update_metrics(
        model, metric_values, own_values, sums, totals, last_values
    )
    return logs, (trainable, non_trainable, optimizer_values, metric_values)


def test_step(model, state, data):
    """Adds a batch to the evaluation metrics.

    Returns:
        The metrics by name, and the new state.
    """
    trainable, non_trainable, metric_values = state
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    outputs, non_trainable, layer_losses = model.stateless_call(
        trainable, non_trainable, x, training=False, return_losses=True
    )
    own_values = _update_own(
        model.update_metrics.own,
        _own_values(model, metric_values),
        outputs,
        targets,
    )
    logs, metric_values = _update_metrics(
        model,
        metric_values,
        own_values,
        model.objective_sums(outputs, targets, layer_losses),
        model.total_weights(targets),
    )
    return logs, (trainable, non_trainable, metric_values)


def adapt_dataset(dataset):
    """Returns the dataset itself: JAX compiles once per batch shape."""
    return dataset


def num_replicas():
    """Number of devices that share the rows of an update."""
    return distributed.devices()


def shard_batch(batch):
    """Shards the rows over the devices if their number divides evenly.

    Otherwise every device computes the whole batch.
    """
    devices = distributed.devices()
    if devices == 1 or any(len(a) % devices for a in jax.tree.leaves(batch)):
        return batch
    distribution = keras.distribution.distribution()
    sharding = NamedSharding(
        distribution.device_mesh.backend_mesh,
        PartitionSpec(distribution.batch_dim_name),
    )
    return jax.device_put(batch, sharding)


def _own_values(model, metric_values):
    """The values of the caller's metrics, among those of all metrics."""
    variables = zip(model.metrics_variables, metric_values, strict=True)
    values = {id(variable): value for variable, value in variables}
    return [values[id(v)] for v in model.update_metrics.own.variables]


def _update_own(own, values, outputs, targets):
    """Updates the caller's metrics, and returns the new values."""
    with keras.StatelessScope(
        list(zip(own.variables, values, strict=True))
    ) as scope:
        own.update(outputs, targets)
    return [scope.get_current_value(variable) for variable in own.variables]


def _update_metrics(model, values, own_values, sums, totals, last_values=None):
    """Returns the metrics by name and the new values of their variables."""
    variables = model.metrics_variables
    own = zip(model.update_metrics.own.variables, own_values, strict=True)
    own = {id(variable): value for variable, value in own}
    values = [
        own.get(id(variable), value)
        for variable, value in zip(variables, values, strict=True)
    ]
    with keras.StatelessScope(
        list(zip(variables, values, strict=True))
    ) as scope:
        model.update_metrics.add_sums(sums, totals)
        if last_values is None:
            logs = model.update_metrics.objective_results()
        else:
            model.update_metrics.set_last(**last_values)
            logs = model.update_metrics.results()
    new = [scope.get_current_value(variable) for variable in variables]
    return logs, [
        old if value is None else value
        for old, value in zip(values, new, strict=True)
    ]


def _accumulate_on_each_device(accumulate, model):
    """Runs `_accumulate` on each device's rows and sums the results.

    The random states of devices differ like those of ranks (`BroadcastState`).
    """
    distribution = keras.distribution.distribution()
    if not isinstance(distribution, keras.distribution.DataParallel):
        raise ValueError(
            "On several devices training needs keras.distribution."
            f"DataParallel. Received: {type(distribution).__name__}."
        )
    axis, own = distribution.batch_dim_name, model.update_metrics.own
    is_random = [is_random_state(v) for v in model.non_trainable_variables]

    def shift_seeds(values, offset):
        return [
            value.at[0].add(offset) if is_seed else value
            for value, is_seed in zip(values, is_random, strict=True)
        ]

    def accumulate_shard(trainable, carried, batch):
        non_trainable, before = carried
        index = jax.lax.axis_index(axis).astype("uint32")
        offset = index * jnp.uint32(SEED_STEP)
        carried = (shift_seeds(non_trainable, offset), before)
        gradients, sums, carried = accumulate(trainable, carried, batch)
        non_trainable, after = carried
        if model.gradient_compression is not None:
            gradients = _cast(gradients, model.gradient_compression)
        shares = own.shares(before, after, index == 0, distributed.devices())
        gradients, sums, shares = jax.lax.psum((gradients, sums, shares), axis)
        carried = (
            shift_seeds(non_trainable, -offset),
            own.combine(before, shares),
        )
        return _cast(gradients, "float32"), sums, carried

    sharded, replicated = PartitionSpec(axis), PartitionSpec()
    return _shard_map(
        accumulate_shard,
        mesh=distribution.device_mesh.backend_mesh,
        in_specs=(replicated, replicated, sharded),
        out_specs=replicated,
    )


def _accumulate(gradient_of, steps, trainable, carried, batch):
    """Returns gradients, metric sums and new carried values.

    These are the non-trainable values and those of the caller's metrics.
    """

    def add_micro_batch(carry, micro_batch):
        carried, accumulated = carry
        gradients, (sums, carried) = gradient_of(
            trainable, carried, *micro_batch
        )
        added = jax.tree.map(
            lambda total, new: total + new.astype("float32"),
            accumulated,
            (gradients, sums),
        )
        return (carried, added), None

    micro_batches = jax.tree.map(lambda array: _split(array, steps), batch)
    shapes = jax.eval_shape(
        gradient_of,
        trainable,
        carried,
        *jax.tree.map(lambda array: array[0], micro_batches),
    )
    gradients, (sums, _) = shapes
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape), (gradients, sums))
    (carried, (gradients, sums)), _ = jax.lax.scan(
        add_micro_batch, (carried, zeros), micro_batches
    )
    return gradients, sums, carried


def _loss_scale(optimizer):
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale.value
    return optimizer.loss_scale_factor or 1.0


def _cast(arrays, dtype):
    return [array.astype(dtype) for array in arrays]


def _global_norm(values):
    squares = (jnp.square(value.astype("float32")) for value in values)
    return jnp.sqrt(sum(jnp.sum(square) for square in squares))


def _split(array, steps):
    """Reshapes `(B, ...)` to `(steps, B / steps, ...)`."""
    return array.reshape(steps, -1, *array.shape[1:])
