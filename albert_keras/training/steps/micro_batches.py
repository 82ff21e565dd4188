"""Splitting batches; the test step of TensorFlow and PyTorch."""

import keras
from keras import ops


def pad_rows(x, targets, multiple):
    """Pads a batch so that `multiple` divides its rows.

    The added rows repeat the last one with weight 0: they change neither the
    sums of losses and metrics nor their gradients. They do take part in the
    losses that layers add to the model (`add_loss`).

    Args:
        x: Nested structure of inputs.
        targets: Labels and weights by objective, as of `make_targets`.
        multiple: A positive integer.

    Returns:
        Inputs and targets.
    """
    rows = ops.shape(keras.tree.flatten(x)[0])[0]
    if multiple == 1 or (isinstance(rows, int) and rows % multiple == 0):
        return x, targets
    missing = -rows % multiple

    def last_rows(array):
        # Not ops.take: under TensorFlow it needs a known number of rows.
        shape = (missing, *ops.shape(array)[1:])
        return ops.broadcast_to(array[-1:], shape)

    def pad(array):
        return ops.concatenate([array, last_rows(array)], axis=0)

    def pad_weights(weights):
        added = ops.zeros_like(last_rows(weights))
        return ops.concatenate([weights, added], axis=0)

    return keras.tree.map_structure(pad, x), {
        name: (
            keras.tree.map_structure(pad, labels),
            keras.tree.map_structure(pad_weights, weights),
        )
        for name, (labels, weights) in targets.items()
    }


def test_step(
    model, data, sum_over_replicas=lambda tensors: tensors, replicas=1
):
    """Adds a batch to the evaluation metrics and returns them.

    JAX has its own, which is stateless.

    Args:
        model: A compiled `AccumulatingModel`.
        data: `(x, y, sample_weight)`.
        sum_over_replicas: Sums tensors over the replicas of the batch.
        replicas: Number of replicas.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    outputs = model(x, training=False)
    sums = model.objective_sums(outputs, targets, model.losses, replicas)
    totals = model.total_weights(targets)
    model.update_metrics.own.update(outputs, targets)
    model.update_metrics.add_sums(*sum_over_replicas((sums, totals)))
    return model.update_metrics.objective_results()
