"""The training step and the test step of the TensorFlow backend."""

import itertools
import math

import keras
import tensorflow as tf

from albert_keras.kernels import can_fuse, fused_kernels, plain_kernels
from albert_keras.training import distributed
from albert_keras.training.steps import micro_batches
from albert_keras.training.steps.micro_batches import pad_rows


def train_step(model, data):
    """Accumulates the gradient over micro-batches and applies it once.

    A loop in the graph runs over the micro-batches: memory and compile time
    do not grow with their number. Gradients are summed in float32. On several
    ranks the targets' weights are summed first, because the loss is divided by
    those of the whole update; one all-reduce then sums the gradients. The
    replicas of a `tf.distribute` strategy sum both in the same way.

    Args:
        model: A compiled `AccumulatingModel`.
        data: `(x, y, sample_weight)` of the whole update.

    Returns:
        The model's metrics so far, by name.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    metrics = model.update_metrics
    totals, votes = distributed.sum_over_ranks(
        (model.total_weights(targets), tf.convert_to_tensor(metrics.stop_vote))
    )
    totals = _sum_over_replicas(totals)
    optimizer, own = model.optimizer, metrics.own
    before = own.values()
    gradients, sums = _passes(model)(model, x, targets, totals)
    is_first, ranks = distributed.rank() == 0, distributed.size()
    shares = own.shares(before, own.values(), is_first, ranks)
    gradients, (sums, shares), seconds = _all_reduce(
        gradients, (sums, shares), model.gradient_compression
    )
    if ranks > 1:
        own.assign(own.combine(before, shares))
    gradients, sums = _sum_over_replicas((gradients, sums))

    metrics.stop_votes.assign(votes)
    metrics.add_communication(seconds)
    metrics.set_last(
        learning_rate=optimizer.learning_rate,
        gradient_norm=_global_norm(gradients) / _loss_scale(optimizer),
        weight_norm=_global_norm(_values(model)),
    )
    _update(model)(_on_first_replica(gradients))
    metrics.add_sums(sums, totals)
    return model.get_metrics_result()


def test_step(model, data):
    """Adds a batch to the evaluation metrics and returns them."""
    return micro_batches.test_step(
        model, data, _sum_over_replicas, _strategy_replicas()
    )


def num_replicas():
    """Number of devices that share the rows of an update, over all ranks."""
    return distributed.size() * _strategy_replicas()


def adapt_dataset(dataset):
    """Allows a dataset's batches to differ in shape.

    Keras infers the shape of a `PyDataset`'s batches from two of them. A
    dataset whose attribute `varies_in_length` is true becomes a
    `tf.data.Dataset` whose first and last axes have any length.
    """
    if not getattr(dataset, "varies_in_length", False):
        return dataset
    batches, signature = dataset.num_batches, _signature(dataset[0])

    def generate():
        indices = itertools.count() if batches is None else range(batches)
        for index in indices:
            yield dataset[index]

    stream = tf.data.Dataset.from_generator(
        generate, output_signature=signature
    ).prefetch(2)
    if batches is None:
        return stream
    return stream.apply(tf.data.experimental.assert_cardinality(batches))


def shard_batch(batch):
    """Returns the batch itself: a process has one device."""
    return batch


def _loss_scale(optimizer):
    """The factor of the loss, by which the optimizer divides gradients."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.dynamic_scale)
    return optimizer.loss_scale_factor or 1.0


def _signature(batch):
    """Specs of a batch's arrays, with first and last axis of any length."""

    def describe(array):
        shape = [None, *array.shape[1:-1], None][: array.ndim]
        return tf.TensorSpec(shape, array.dtype)

    return tf.nest.map_structure(describe, batch)


def _passes(model):
    """Forward and backward passes, compiled by XLA if `compile` asked for it.

    XLA cannot compile the whole step: Horovod's all-reduce stays outside.
    """
    if not model.compile_passes:
        return _accumulate
    return tf.function(_accumulate, jit_compile=True)


def _update(model):
    """Makes a function that applies gradients in few passes over memory.

    On a CPU, LAMB has a fused kernel and XLA compiles other optimizers; for
    less than a million weights compiling takes longer than it saves.
    """

    # The kernel of LAMB knows no replicas, over which Keras sums gradients.
    replicated = _strategy_replicas() > 1
    kernels = plain_kernels if replicated else fused_kernels

    def update(gradients):
        with kernels():
            model.optimizer.apply(gradients, model.trainable_variables)

    if replicated:
        return update
    if model.run_eagerly or not can_fuse() or _has_kernel(model.optimizer):
        return update
    if sum(math.prod(v.shape) for v in model.trainable_variables) < 1e6:
        return update
    return tf.function(update, jit_compile=True, autograph=False)


def _has_kernel(optimizer):
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    with fused_kernels():
        return hasattr(optimizer, "has_kernel") and optimizer.has_kernel()


def _all_reduce(gradients, sums, compression):
    """Sums gradients and metric sums over the ranks, and takes the time."""
    if distributed.size() == 1:
        return gradients, sums, None
    with tf.control_dependencies(tf.nest.flatten((gradients, sums))):
        start = tf.timestamp()
    with tf.control_dependencies([start]):
        gradients = [tf.identity(gradient) for gradient in gradients]
    if compression is not None:
        gradients = [tf.cast(g, compression) for g in gradients]
    gradients, sums = distributed.sum_over_ranks((gradients, sums))
    gradients = [tf.cast(gradient, tf.float32) for gradient in gradients]
    with tf.control_dependencies(tf.nest.flatten((gradients, sums))):
        seconds = tf.timestamp() - start
    return gradients, sums, seconds


def _strategy_replicas():
    """Number of replicas of the `tf.distribute` strategy in use, or 1."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def _sum_over_replicas(tensors):
    """Sums a structure over the replicas of a `tf.distribute` strategy."""
    if _strategy_replicas() == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def _on_first_replica(gradients):
    """Zeros gradients on all replicas but the first.

    Keras's optimizers clip on each replica before they sum over replicas:
    clipping sees the whole gradient, and the sum contains it once.
    """
    if _strategy_replicas() == 1:
        return gradients
    context = tf.distribute.get_replica_context()
    is_first = tf.equal(context.replica_id_in_sync_group, 0)
    return [tf.where(is_first, g, tf.zeros_like(g)) for g in gradients]


def _accumulate(model, x, targets, totals):
    """Returns gradients and metric sums of the whole batch."""
    steps = model.gradient_accumulation_steps
    if steps == 1:
        return _gradients_and_sums(model, x, targets, totals)

    split = tf.nest.map_structure(
        lambda tensor: _split(tensor, steps), pad_rows(x, targets, steps)
    )

    def add_micro_batch(step, accumulated):
        micro_batch = tf.nest.map_structure(lambda t: t[step], split)
        added = _gradients_and_sums(model, *micro_batch, totals)
        return step + 1, tf.nest.map_structure(tf.add, accumulated, added)

    zeros = (
        [tf.zeros(v.shape, tf.float32) for v in model.trainable_variables],
        {name: tf.zeros(()) for name in model.update_metrics.sum_names},
    )
    _, accumulated = tf.while_loop(
        lambda step, _: step < steps,
        add_micro_batch,
        (tf.constant(0), zeros),
        maximum_iterations=steps,
        parallel_iterations=1,
    )
    return accumulated


def _gradients_and_sums(model, x, targets, totals):
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        parts = model.gradient_accumulation_steps * num_replicas()
        sums = model.objective_sums(outputs, targets, model.losses, parts)
        loss = model.training_loss(sums, totals)
        scaled_loss = model.optimizer.scale_loss(loss)
    values = _values(model)
    gradients = tape.gradient(
        scaled_loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    model.update_metrics.own.update(outputs, targets)
    # A lookup's gradient is sparse; the sum over micro-batches is dense.
    return [
        tf.cast(tf.convert_to_tensor(gradient), tf.float32)
        for gradient in gradients
    ], sums


def _values(model):
    return [variable.value for variable in model.trainable_variables]


def _global_norm(tensors):
    return tf.linalg.global_norm([tf.cast(t, tf.float32) for t in tensors])


def _split(tensor, steps):
    """Reshapes `(B, ...)` to `(steps, B / steps, ...)`."""
    rows = tensor.shape[0]
    size = tf.shape(tensor)[0] // steps if rows is None else rows // steps
    return tf.reshape(
        tensor, tf.concat([[steps, size], tf.shape(tensor)[1:]], 0)
    )
