"""Trains on one device and on two replicas, and compares.

    python -m tests.training.steps.replicas

The rows do not divide among replicas and micro-batches, the weights differ,
and the gradient is clipped.
"""

import contextlib

import keras
import numpy as np
import tensorflow as tf

import albert_keras as ak
from tests.task_models import CONFIG, make_inputs
from tests.training.steps.test_layer_losses import (
    LABELS,
    WithLogitLoss,
    regularize,
)


def train(strategy=None):
    with strategy.scope() if strategy else contextlib.nullcontext():
        keras.utils.set_random_seed(0)
        backbone = ak.AlbertBackbone.from_config(CONFIG)
        model = WithLogitLoss(backbone, num_classes=3, dropout=0.0)
        regularize(model.classifier.kernel, 0.3)
        model.compile(
            ak.optimizers.Lamb(0.02, global_clipnorm=0.1),
            gradient_accumulation_steps=2,
        )
    weights = np.linspace(0, 2, 8, dtype="float32")
    rows = tf.data.Dataset.from_tensor_slices(
        (make_inputs(8), LABELS[:8], weights)
    ).batch(8)
    logs = model.fit(rows, epochs=2, shuffle=False, verbose=0).history
    results = model.evaluate(rows, verbose=0, return_dict=True)
    return model.get_weights(), {**logs, **results}


def main():
    (device,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        device, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    one, logs = train()
    two, others = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    for name, value in logs.items():
        np.testing.assert_allclose(others[name], value, rtol=1e-4, err_msg=name)
    for mine, theirs in zip(two, one, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-5)


if __name__ == "__main__":
    main()
