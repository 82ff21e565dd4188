"""The training step and the test step of the PyTorch backend."""

import keras
import torch

from albert_keras.training.steps.micro_batches import pad_rows
from albert_keras.training.steps.micro_batches import test_step as test_step


def train_step(model, data):
    """Accumulates the gradient over micro-batches and applies it once.

    PyTorch sums the micro-batches' gradients in the variables' type.

    Args:
        model: A compiled `AccumulatingModel`.
        data: `(x, y, sample_weight)` of the whole update.

    Returns:
        The model's metrics so far, by name.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    totals = model.total_weights(targets)
    optimizer, metrics = model.optimizer, model.update_metrics

    model.zero_grad()
    sums = {}
    steps = model.gradient_accumulation_steps
    for micro_batch in _split(pad_rows(x, targets, steps), steps):
        for name, value in _backward(model, *micro_batch, totals).items():
            sums[name] = sums.get(name, 0.0) + value.detach()

    with torch.no_grad():
        variables = model.trainable_variables
        gradients = [_gradient(variable.value) for variable in variables]
        metrics.set_last(
            learning_rate=optimizer.learning_rate,
            gradient_norm=_global_norm(gradients) / _loss_scale(optimizer),
            weight_norm=_global_norm([v.value for v in variables]),
        )
        optimizer.apply(gradients, variables)
        metrics.add_sums(sums, totals)
        return model.get_metrics_result()


def adapt_dataset(dataset):
    """Returns the dataset itself: PyTorch takes batches of any shape."""
    return dataset


def num_replicas():
    """Number of devices that share the rows of an update."""
    return 1


def shard_batch(batch):
    """Returns the batch itself: a process has one device."""
    return batch


def _backward(model, x, targets, totals):
    """Adds a micro-batch to the gradients and returns its metric sums."""
    outputs = model(x, training=True)
    steps = model.gradient_accumulation_steps
    sums = model.objective_sums(outputs, targets, model.losses, steps)
    loss = model.training_loss(sums, totals)
    model.optimizer.scale_loss(loss).backward()
    with torch.no_grad():
        model.update_metrics.own.update(outputs, targets)
    return sums


def _gradient(value):
    return torch.zeros_like(value) if value.grad is None else value.grad


def _loss_scale(optimizer):
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.dynamic_scale.value
    return optimizer.loss_scale_factor or 1.0


def _global_norm(values):
    norms = [torch.linalg.vector_norm(value) for value in values]
    return torch.linalg.vector_norm(torch.stack(norms))


def _split(batch, steps):
    """Yields `steps` micro-batches of consecutive rows."""
    rows = len(keras.tree.flatten(batch)[0])
    size = rows // steps
    for start in range(0, rows, size):
        part = slice(start, start + size)
        yield keras.tree.map_structure(lambda array: array[part], batch)  # noqa: B023
