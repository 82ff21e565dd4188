"""Fused kernels skip padding, and nothing else changes."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from albert_keras import AlbertBackbone
from albert_keras.kernels import (
    can_fuse,
    fused_kernels,
    plain_kernels,
    tensorflow_cpu,
)
from albert_keras.kernels.tensorflow_cpu.compilation import operations

MASKS = {
    "padding": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
    "holes": [[1, 0, 1, 1, 0], [1, 1, 0, 0, 1], [1, 1, 1, 1, 1]],
    "first": [[0, 0, 1, 1, 1], [1, 1, 1, 1, 0], [0, 1, 0, 0, 1]],
    "none": [[0, 0, 0, 0, 0], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0]],
}

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not can_fuse(),
        reason="Fused kernels need TensorFlow on a CPU and a C++ compiler.",
    ),
]


@pytest.fixture(params=list(MASKS))
def mask(request):
    return np.array(MASKS[request.param], "int32")


def outputs_and_gradients(backbone, inputs, reads):
    """Returns outputs and the gradients of a loss on some positions.

    Args:
        reads: `(B, T)` or `(B, P)`: 1 for positions that the loss reads.

    Returns:
        The sequence output, and a list of the outputs that are read and the
        gradients of all weights.
    """
    with tf.GradientTape() as tape:
        outputs = backbone(inputs, training=True)
        x, pooled = outputs["sequence_output"], outputs["pooled_output"]
        x = x * tf.cast(reads, tf.float32)[..., None]
        loss = tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(pooled)
    values = [v.value for v in backbone.trainable_variables]
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, values)]
    return outputs["sequence_output"], [x, pooled, *gradients]


def assert_as_with_padding(backbone, inputs, reads):
    """Compares with the reference; returns the fused sequence output."""
    with fused_kernels():
        whole, fused = outputs_and_gradients(backbone, inputs, reads)
    with plain_kernels():
        _, expected = outputs_and_gradients(backbone, inputs, reads)
    assert len(fused) == 2 + len(backbone.trainable_variables)
    for one, other in zip(fused, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    return whole


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        dict(pre_layer_norm=True, num_groups=2),
        dict(attention_dropout=1e-9, hidden_dropout=1e-9),  # drops nothing
    ],
    ids=str,
)
def test_an_encoder_gives_what_it_gives_with_padding(
    tiny_config, rng, mask, changes
):
    backbone = AlbertBackbone.from_config(
        dataclasses.replace(tiny_config, **changes)
    )
    token_ids = rng.integers(5, tiny_config.vocabulary_size, mask.shape)
    inputs = {"token_ids": token_ids, "padding_mask": mask}
    whole = assert_as_with_padding(backbone, inputs, mask)
    assert (whole.numpy()[mask == 0] == 0).all()
    assert (whole.numpy()[mask == 1] != 0).any(axis=-1).all()


def test_it_gives_the_positions_that_are_read(tiny_config, rng, mask):
    backbone = AlbertBackbone.from_config(tiny_config)
    token_ids = rng.integers(5, tiny_config.vocabulary_size, mask.shape)
    inputs = {
        "token_ids": token_ids,
        "padding_mask": mask,
        "read_positions": np.array([[2, 0], [0, 1], [0, 0]]),
    }
    reads = [[mask[0, 2], 1], [1, 1], [1, 1]]
    assert_as_with_padding(backbone, inputs, reads)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_enters_is_what_is_not_padding_and_leaves_in_its_place(
    rng, mask, dtype
):
    x = tf.cast(rng.normal(size=(*mask.shape, 4)), dtype)
    mask[:, 0] = 1
    layout = tensorflow_cpu.sequence_layout(x, mask)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        packed = layout.pack(x)
        unpacked = layout.unpack(packed)
    np.testing.assert_array_equal(packed[0], x.numpy()[mask == 1])
    np.testing.assert_array_equal(unpacked, np.where(mask[..., None], x, 0))
    weights = tf.cast(rng.normal(size=x.shape), dtype)
    np.testing.assert_array_equal(
        tape.gradient(unpacked, x, weights),
        np.where(mask[..., None], weights, 0),
    )
    np.testing.assert_array_equal(
        tape.gradient(unpacked, packed, weights)[0], weights.numpy()[mask == 1]
    )


def attention(queries, keys, values):
    """Attention of one sequence and head, in NumPy."""
    scores = queries @ keys.T
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ values


@pytest.mark.parametrize("has_queries", [False, True])
def test_sequences_end_to_end_attend_each_to_itself(rng, has_queries):
    """Lengths below and above the block size."""
    lengths, width, heads = [3, 300, 1, 70], 16, 2
    splits = np.cumsum([0, *lengths])
    q, k, v = rng.normal(size=(3, splits[-1], width)).astype("float32")
    ends = splits
    if has_queries:  # two for each sequence
        q, ends = q[: 2 * len(lengths)], 2 * np.arange(len(lengths) + 1)
    parts = [k, v] if has_queries else [q, k, v]
    none = np.zeros((0, 0, 0), "float32")
    context, _ = operations().albert_attention(
        q.reshape(len(lengths), 2, width) if has_queries else none,
        np.concatenate(parts, axis=1)[None],
        np.zeros(3 * width),
        splits,
        np.zeros(0),
        num_heads=heads,
    )
    context = context.numpy().reshape(-1, width)
    for b in range(len(lengths)):
        asked, own = slice(*ends[b : b + 2]), slice(*splits[b : b + 2])
        for head in np.split(np.arange(width), heads):
            np.testing.assert_allclose(
                context[asked, head],
                attention(q[asked, head], k[own, head], v[own, head]),
                atol=1e-5,
            )


@pytest.mark.parametrize(
    "splits", [[0, 2], [1, 4], [0, 3, 3, 4], [0, 5], [0, 3, 2, 4], []], ids=str
)
def test_splits_that_are_none_are_refused(splits):
    with pytest.raises(tf.errors.InvalidArgumentError, match="splits"):
        operations().albert_attention(
            np.zeros((0, 0, 0), "float32"),
            np.zeros((4, 12), "float32"),
            np.zeros(12),
            np.array(splits, "int32"),
            np.zeros(0),
            num_heads=2,
        )
