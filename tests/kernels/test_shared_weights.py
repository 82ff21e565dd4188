"""Weights shared by layers: one cast, and gradients that do not pile up."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from albert_keras import AlbertBackbone
from albert_keras.kernels import can_fuse, tensorflow_cpu
from albert_keras.kernels.tensorflow_cpu import matmul

pytestmark = pytest.mark.skipif(
    not can_fuse(),
    reason="Fused kernels need TensorFlow on a CPU and a C++ compiler.",
)


@pytest.mark.parametrize("waiting", [2**25, 20])
def test_gradients_of_a_shared_weight_add_up_in_float32(monkeypatch, waiting):
    """1 and 600 times 1/512: bfloat16 would lose each of the small ones."""
    monkeypatch.setattr(matmul, "_WAITING", waiting)
    uses = 601
    weight = tf.constant([1.0])
    with tf.GradientTape() as tape:
        tape.watch(weight)
        copies = tensorflow_cpu.share(weight, uses, "bfloat16")
        factors = [1.0] + [1 / 512] * (uses - 1)
        total = tf.add_n(
            [
                tf.cast(copy, tf.float32) * factor
                for copy, factor in zip(copies, factors, strict=True)
            ]
        )
    gradient = tape.gradient(total, weight)
    assert gradient.dtype == tf.float32
    np.testing.assert_allclose(gradient, [1 + 600 / 512], rtol=1e-6)


@pytest.mark.parametrize("remat", [False, True])
def test_no_sums_of_weights_are_tensorflows(tiny_config, monkeypatch, remat):
    """It joins its own into one, for which every layer's gradient waits, and
    `keras.remat` adds a zero to each weight for each layer."""
    monkeypatch.setattr(matmul, "_WAITING", 1)
    config = dataclasses.replace(tiny_config, num_layers=6)
    backbone = AlbertBackbone.from_config(config)
    backbone.remat = remat
    matrices = [w for w in backbone.encoder.trainable_weights if w.ndim == 2]
    assert len(matrices) == 6

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            ids = tf.ones((1, 4), tf.int32)
            outputs = backbone({"token_ids": ids}, training=True)
            total = tf.reduce_sum(outputs["sequence_output"])
        return tape.gradient(total, [w.value for w in matrices])

    graph = gradients.get_concrete_function().graph
    operations = graph.get_operations()
    ours = [o for o in operations if o.type == "AlbertAddUp"]
    assert len(ours) >= 4 * config.num_layers / 2
    shapes = [tuple(w.shape) for w in matrices]
    shapes.append((config.hidden_dim, 3 * config.hidden_dim))  # q, k and v's
    theirs = [
        o.name
        for o in operations
        if o.type in ("Add", "AddV2", "AddN")
        and o.outputs[0].shape.rank is not None
        and tuple(o.outputs[0].shape) in shapes
    ]
    assert not theirs
