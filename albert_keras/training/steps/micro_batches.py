"""How a batch is cut into micro-batches of consecutive rows."""

import keras


def rows_of_each(rows: int, steps: int) -> int:
    """Rows of each of `steps` micro-batches.

    Raises:
        ValueError: If the rows of the batch do not go round.
    """
    if rows % steps:
        raise ValueError(
            "`gradient_accumulation_steps` must divide the number of rows in "
            f"a batch. Received: {rows} rows, "
            f"gradient_accumulation_steps={steps}."
        )
    return rows // steps


def test_step(model, data):
    """Adds a batch to the metrics of evaluation, which it returns."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    targets = model.targets(y, sample_weight)
    outputs = model(x, training=False)
    totals = model.total_weights(targets)
    model.update_metrics.add_sums(
        model.objective_sums(outputs, targets), totals
    )
    return model.update_metrics.objective_results()
