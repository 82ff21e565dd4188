"""One step of evaluation on backends whose variables hold the state."""

import keras


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
