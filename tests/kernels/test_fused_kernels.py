"""Fused kernels equal the reference kernels, gradients included."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from albert_keras import AlbertBackbone, AlbertForPretraining
from albert_keras.kernels import (
    can_fuse,
    choose_kernels,
    fused_kernels,
    kernels_for_classes,
    plain_kernels,
    reference,
    tensorflow_cpu,
)
from albert_keras.kernels.tensorflow_cpu import compilation
from albert_keras.kernels.tensorflow_cpu.compilation import operations
from tests.batches import Batches, make_batch
from tests.marks import others_slow

B, T, N, H, WIDE, CLASSES = 2, 5, 2, 8, 16, 1500
TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-2}

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not can_fuse(),
        reason="Fused kernels need TensorFlow on a CPU and a C++ compiler.",
    ),
]


@pytest.fixture(params=list(TOLERANCES))
def dtype(request):
    return request.param


@pytest.fixture(params=["panels", "matrices"])
def form(request, monkeypatch):
    """Runs products with packed panels and with plain matrices.

    By default the processor decides.
    """
    monkeypatch.setattr(
        compilation, "has_no_more_than_avx2", lambda: request.param == "panels"
    )


def values_and_gradients(kernel, inputs, **arguments):
    """Returns a kernel's outputs, and gradients of a weighted sum of them."""

    @tf.function
    def run(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nest.flatten(kernel(*inputs, **arguments))
            total = 0.0
            for number, output in enumerate(outputs):
                output = tf.cast(output, tf.float32)
                weights = tf.range(tf.size(output), dtype=tf.float32)
                weights = tf.sin(weights + number)
                total += tf.reduce_sum(
                    output * tf.reshape(weights, output.shape)
                )
        return outputs, tape.gradient(total, inputs)

    return run(*inputs)


def assert_kernels_agree(name, inputs, dtype, **arguments):
    fused, expected = (getattr(m, name) for m in (tensorflow_cpu, reference))
    assert_agree(fused, expected, inputs, dtype, **arguments)


def assert_agree(fused, expected, inputs, dtype, **arguments):
    """Compares with the reference on the same numbers in float32."""
    inputs = [tf.cast(tf.cast(t, dtype), t.dtype) for t in inputs]
    outputs, gradients = values_and_gradients(fused, inputs, **arguments)
    assert all(output.dtype == dtype for output in outputs)
    assert [g.dtype for g in gradients] == [t.dtype for t in inputs]
    expected = values_and_gradients(
        expected, [tf.cast(t, "float32") for t in inputs], **arguments
    )
    pairs = zip([*outputs, *gradients], tf.nest.flatten(expected), strict=True)
    for one, other in pairs:
        one, other = (tf.cast(t, tf.float32).numpy() for t in (one, other))
        scale = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, atol=TOLERANCES[dtype] * scale)


def normal(rng, dtype, *shape):
    return tf.cast(rng.normal(size=shape), dtype)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("activation", ["gelu_tanh", "gelu", "relu"])
def test_feed_forward_agrees(rng, dtype, activation):
    inputs = (
        normal(rng, dtype, B, T, H),
        normal(rng, "float32", H, WIDE),
        normal(rng, "float32", WIDE),
        normal(rng, "float32", WIDE, H),
    )

    def run(kernels, dtype):
        def feed_forward(x, intermediate, bias, output):
            (one,) = kernels.matrix_views(intermediate, 1, dtype)
            (two,) = kernels.matrix_views(output, 1, dtype)
            return kernels.feed_forward(x, one, bias, two, activation)

        return feed_forward

    fused, expected = run(tensorflow_cpu, dtype), run(reference, "float32")
    assert_agree(fused, expected, inputs, dtype)


@pytest.mark.parametrize(
    "rows, depth, columns",
    [(1, 3, 5), (50, 16, 17), (101, 2100, 40), (7, 30, 800), (0, 4, 4)],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_products_with_panels_are_numpys(rng, dtype, rows, depth, columns):
    """Sizes below, between and above the block sizes."""
    x, w, dy = (
        normal(rng, dtype, *shape)
        for shape in ((rows, depth), (depth, columns), (rows, columns))
    )
    panels, others = (
        operations().albert_pack(w, transposed=t) for t in (False, True)
    )
    results = {
        "x W": operations().albert_product(x[None], panels, columns=columns)[0],
        "dy W'": operations().albert_product(dy, others, columns=depth),
        "x' dy": operations().albert_outer_product(x[None], dy[None]),
    }
    x, w, dy = (tf.cast(t, tf.float64).numpy() for t in (x, w, dy))
    expected = {"x W": x @ w, "dy W'": dy @ w.T, "x' dy": x.T @ dy}
    rounding = {"float32": 0.0, "bfloat16": 2**-8, "float16": 2**-11}[dtype]
    for name, got in results.items():
        assert got.shape == expected[name].shape, name
        assert got.dtype == dtype, name
        np.testing.assert_allclose(
            tf.cast(got, tf.float64),
            expected[name],
            rtol=rounding,
            atol=2e-4,
            err_msg=name,
        )


def test_panels_of_another_matrix_are_refused():
    zeros = np.zeros((4, 20), "float32")
    panels = operations().albert_pack(zeros, transposed=False)
    for depth, columns in ((5, 20), (4, 40)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Panels"):
            operations().albert_product(
                np.zeros((3, depth), "float32"), panels, columns=columns
            )
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many rows"):
        operations().albert_outer_product(zeros[:3], zeros)


@pytest.mark.parametrize("activation", ["gelu_tanh", "gelu", "relu"])
def test_activations_are_right_far_from_zero(activation):
    x = np.array([[-1e12, -1e9, -30.0, 30.0, 1e9, 1e12]], "float32")
    arguments = tf.constant(x), tf.zeros(x.shape[1])
    value = operations().albert_bias_activation(
        *arguments, activation=activation
    )
    _, slope, _ = operations().albert_bias_activation_grad(
        *arguments, tf.ones_like(x), activation=activation
    )
    np.testing.assert_allclose(value, np.maximum(x, 0.0), rtol=1e-6)
    np.testing.assert_array_equal(slope, x > 0)


def test_residual_and_layer_normalization_agree(rng, dtype):
    x, residual = (normal(rng, dtype, B, T, H) for _ in range(2))
    bias, gamma, beta = (normal(rng, "float32", H) for _ in range(3))
    inputs = x, bias, residual, gamma, beta
    assert_kernels_agree("add_layer_norm", inputs, dtype, epsilon=1e-12)


@pytest.mark.usefixtures("form")
def test_products_agree(rng, dtype):
    inputs = normal(rng, dtype, B, T, H), normal(rng, "float32", H, WIDE)

    def run(kernels, dtype):
        def project(x, matrix):
            (kernel,) = kernels.matrix_views(matrix, 1, dtype)
            return kernels.project(x, kernel)

        return project

    fused, expected = run(tensorflow_cpu, dtype), run(reference, "float32")
    assert_agree(fused, expected, inputs, dtype)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(
    "length, queries, head_dim",
    [(5, None, 4), (5, 3, 4), (150, None, 64), (150, 70, 64)],
    ids=str,
)
@pytest.mark.parametrize("padding", others_slow([True, False]))
def test_attention_agrees(rng, dtype, length, queries, head_dim, padding):
    """Lengths below and above the block size."""
    width = N * head_dim
    scales = np.repeat([head_dim**-0.5, 1.0, 1.0], width) / width**0.5
    inputs = [
        normal(rng, dtype, B, length, width),
        normal(rng, "float32", width, 3 * width) * scales,
        0.1 * normal(rng, "float32", 3 * width),
    ]
    if queries:
        inputs.append(normal(rng, dtype, B, queries, width))
    attention_bias = None
    if padding:
        attention_bias = np.zeros((B, 1, 1, length), "float32")
        attention_bias[1, ..., 3:] = -30000.0

    def run(kernels, dtype):
        def attention(x, matrix, bias, queries=None):
            (kernel,) = kernels.matrix_views(matrix, 1, dtype)
            return kernels.self_attention(
                x, kernel, bias, N, attention_bias, queries
            )

        return attention

    fused, expected = run(tensorflow_cpu, dtype), run(reference, "float32")
    assert_agree(fused, expected, inputs, dtype)


def test_logits_of_a_vocabulary_agree(rng, dtype):
    inputs = (
        normal(rng, dtype, B, T, H),
        normal(rng, dtype, CLASSES, H),
        normal(rng, dtype, CLASSES),
    )
    assert_kernels_agree("vocabulary_logits", inputs, dtype)


def test_cross_entropy_of_a_vocabulary_agrees(rng, dtype):
    labels = tf.constant(rng.integers(0, CLASSES, (B, T)), tf.int32)
    logits = 3 * normal(rng, dtype, B, T, CLASSES)

    def loss(kernels):
        return lambda logits: kernels.sparse_cross_entropy(labels, logits)

    got, expected = (
        values_and_gradients(loss(kernels), (logits,))
        for kernels in (tensorflow_cpu, reference)
    )
    for one, other in zip(
        tf.nest.flatten(got), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(
            tf.cast(one, tf.float32),
            tf.cast(other, tf.float32),
            rtol=TOLERANCES[dtype],
            atol=TOLERANCES[dtype],
        )


def test_accuracy_takes_the_first_of_equal_scores_as_argmax_does():
    logits = np.zeros((1, 3, CLASSES), "float32")
    logits[0, 0, [7, 9]] = 1.0
    logits[0, 1, 9] = 1.0
    labels = np.array([[7, 7, 0]], "int32")
    for kernels in (reference, tensorflow_cpu):
        accuracy = kernels.sparse_accuracy(
            tf.constant(labels), tf.constant(logits)
        )
        np.testing.assert_array_equal(accuracy, [[1.0, 0.0, 1.0]])


def test_kernels_are_fused_where_that_is_asked_for():
    assert choose_kernels("float32") is reference
    with fused_kernels():
        assert choose_kernels("float32") is tensorflow_cpu
        assert choose_kernels("float64") is reference
        assert kernels_for_classes(5000, "bfloat16") is tensorflow_cpu
        assert kernels_for_classes(2, "float32") is reference
    with plain_kernels(), fused_kernels():
        assert choose_kernels("float32") is reference


@pytest.mark.parametrize("padding", others_slow([True, False]))
@pytest.mark.slow
def test_predictions_and_evaluation_of_a_wide_model_are_the_plain_ones(
    tiny_config, padding, calls_of
):
    calls = calls_of(tensorflow_cpu, "project")
    config = dataclasses.replace(
        tiny_config, hidden_dim=256, intermediate_dim=256, num_layers=2
    )
    model = AlbertForPretraining(AlbertBackbone.from_config(config))
    model.compile("sgd")
    x, y, weights = make_batch(np.random.default_rng(0), config)
    if not padding:
        x["padding_mask"] = np.ones_like(x["padding_mask"])

    def outputs():
        fresh = model.from_config(model.get_config())  # traced anew
        fresh.set_weights(model.get_weights())
        fresh.compile("sgd")
        evaluated = fresh.evaluate(
            Batches([(x, y, weights)]), verbose=0, return_dict=True
        )
        return fresh.predict_on_batch(x), evaluated

    fused, fused_calls = outputs(), len(calls)
    with plain_kernels():
        expected = outputs()
    assert len(calls) == fused_calls > 0
    for one, other in zip(
        tf.nest.flatten(fused), tf.nest.flatten(expected), strict=True
    ):
        scale = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, atol=1e-5 * scale)


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        pytest.param(
            dict(activation="gelu", num_groups=2, num_inner_repetitions=2),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            dict(pre_layer_norm=True, num_layers=3), marks=pytest.mark.slow
        ),
    ],
    ids=str,
)
def test_a_fused_update_is_the_plain_one(tiny_config, changes):
    config = dataclasses.replace(tiny_config, **changes)
    rng = np.random.default_rng(0)
    batches = [make_batch(rng, config) for _ in range(2)]

    def train():
        keras.utils.set_random_seed(0)
        model = AlbertForPretraining(AlbertBackbone.from_config(config))
        model.compile(keras.optimizers.SGD(0.1))
        history = model.fit(Batches(batches), shuffle=False, verbose=0)
        return model.get_weights(), history.history

    fused = train()
    with plain_kernels():
        expected = train()
    for one, other in zip(
        tf.nest.flatten(fused), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pre_layer_norm", [False, True])
def test_the_last_layer_where_it_is_read_is_the_last_layer(
    tiny_config, rng, pre_layer_norm
):
    """Outputs and gradients, with positions that occur twice."""
    config = dataclasses.replace(tiny_config, pre_layer_norm=pre_layer_norm)
    backbone = AlbertBackbone.from_config(config)
    inputs, _, _ = make_batch(rng, config)
    positions = inputs.pop("mask_positions")
    outputs, gradients = [], []
    for read in (positions, None):
        chosen = {} if read is None else {"read_positions": read}
        with tf.GradientTape() as tape, fused_kernels():
            encoded = backbone({**inputs, **chosen}, training=True)
            x = encoded["sequence_output"]
            if read is None:
                x = tf.gather(x, positions, batch_dims=1)
            loss = tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(
                encoded["pooled_output"]
            )
        values = [v.value for v in backbone.trainable_variables]
        outputs.append([x, encoded["pooled_output"]])
        gradients.append(
            [tf.convert_to_tensor(g) for g in tape.gradient(loss, values)]
        )
    for one, other in zip(
        outputs[0] + gradients[0], outputs[1] + gradients[1], strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
