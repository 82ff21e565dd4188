"""Sizes of micro-batches; the test step of TensorFlow and PyTorch."""

import keras


def micro_batch_size(rows: int, steps: int) -> int:
    """Rows of each of the `steps` micro-batches of a batch.

    Raises:
        ValueError: If `steps` does not divide `rows`.
    """
    if rows % steps:
        raise ValueError(
            "`gradient_accumulation_steps` must divide the number of rows in "
            f"a batch. Received: {rows} rows, "
            f"gradient_accumulation_steps={steps}."
        )
    return rows // steps


def test_step(model, data):
    """Adds a batch to the evaluation metrics and returns them.

    JAX has its own, which is stateless.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    outputs = model(x, training=False)
    totals = model.total_weights(targets)
    model.update_metrics.add_sums(
        model.objective_sums(outputs, targets), totals
    )
    return model.update_metrics.objective_results()
