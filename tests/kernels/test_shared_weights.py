"""Weights shared by layers: gradients are summed in chunks and in float32."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from albert_keras import AlbertBackbone
from albert_keras.kernels import can_fuse, fused_kernels, tensorflow_cpu
from albert_keras.kernels.tensorflow_cpu import matmul

pytestmark = pytest.mark.skipif(
    not can_fuse(),
    reason="Fused kernels need TensorFlow on a CPU and a C++ compiler.",
)


@pytest.mark.parametrize("pending", [2**25, 20])
def test_gradients_of_a_shared_weight_add_up_in_float32(monkeypatch, pending):
    """1 + 600 / 512: bfloat16 would lose each of the 600 small terms."""
    monkeypatch.setattr(matmul, "_MAX_PENDING_BYTES", pending)
    uses = 601
    weight = tf.constant([1.0])
    with tf.GradientTape() as tape:
        tape.watch(weight)
        views = tensorflow_cpu.weight_views(weight, uses, "bfloat16")
        factors = [1.0] + [1 / 512] * (uses - 1)
        total = tf.add_n(
            [
                tf.cast(view, tf.float32) * factor
                for view, factor in zip(views, factors, strict=True)
            ]
        )
    gradient = tape.gradient(total, weight)
    assert gradient.dtype == tf.float32
    np.testing.assert_allclose(gradient, [1 + 600 / 512], rtol=1e-6)


@pytest.mark.parametrize("remat", [False, True])
def test_no_sums_of_weights_are_tensorflows(tiny_config, monkeypatch, remat):
    """TensorFlow would fuse its adds into one at the end and keep every
    layer's gradient until then; `keras.remat` adds a zero to each weight for
    each layer."""
    monkeypatch.setattr(matmul, "_MAX_PENDING_BYTES", 1)
    config = dataclasses.replace(tiny_config, num_layers=6)
    backbone = AlbertBackbone.from_config(config)
    backbone.remat = remat
    matrices = [w for w in backbone.encoder.trainable_weights if w.ndim == 2]
    assert len(matrices) == 6

    @tf.function
    def gradients():
        with tf.GradientTape() as tape, fused_kernels():
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
