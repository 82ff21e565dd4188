"""Custom training loops can differentiate twice and compile with XLA.

The gradients are compared with differences of values.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import albert_keras as ak
from albert_keras.kernels import can_fuse, fused_kernels, tensorflow_cpu
from tests.task_models import CONFIG, make_inputs

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not can_fuse(),
        reason="Fused kernels need TensorFlow on a CPU and a C++ compiler.",
    ),
]
STEP = 2e-3


@pytest.fixture
def backbone():
    return ak.AlbertBackbone.from_config(CONFIG)


@pytest.fixture
def inputs():
    inputs = make_inputs()
    inputs["padding_mask"][1:, 3:] = 0
    return {name: tf.constant(value) for name, value in inputs.items()}


def value_of(backbone, inputs):
    outputs = backbone(inputs, training=True)
    return tf.reduce_sum(tf.sin(3 * outputs["pooled_output"]))


def gradient_of(backbone, inputs):
    """The gradient with respect to the pooler's kernel."""
    kernel = backbone.pooler.kernel.value
    with tf.GradientTape() as tape:
        value = value_of(backbone, inputs)
    return tape.gradient(value, kernel)


def difference(function, variable, direction):
    """The derivative of a function along a direction of a variable."""
    values = []
    start = variable.numpy()
    for sign in (1, -1):
        variable.assign(start + sign * STEP * direction)
        values.append(function().numpy())
    variable.assign(start)
    return (values[0] - values[1]) / (2 * STEP)


def assert_near(one, other):
    scale = np.abs(other).max()
    assert scale > 1e-3
    np.testing.assert_allclose(one, other, atol=0.01 * scale)


def test_the_gradient_of_a_gradient_is_that_of_differences(
    backbone, inputs, rng
):
    kernel = backbone.encoder.blocks[0].self_attention.value.kernel.value
    direction = rng.normal(size=kernel.shape).astype("float32")

    def penalty():
        return tf.reduce_sum(gradient_of(backbone, inputs) ** 2)

    with tf.GradientTape() as tape:
        value = penalty()
    assert_near(
        np.sum(tape.gradient(value, kernel) * direction),
        difference(penalty, kernel, direction),
    )


def test_forward_mode_gives_the_derivative_along_a_direction(
    backbone, inputs, rng
):
    kernel = backbone.encoder.blocks[0].intermediate.kernel.value
    direction = rng.normal(size=kernel.shape).astype("float32")
    with tf.autodiff.ForwardAccumulator(kernel, tf.constant(direction)) as acc:
        value = value_of(backbone, inputs)
    expected = difference(lambda: value_of(backbone, inputs), kernel, direction)
    assert_near(acc.jvp(value), expected)


def test_a_jacobian_has_the_gradient_of_each_output_in_its_rows(
    backbone, inputs
):
    bias = backbone.encoder.blocks[0].intermediate.bias.value
    with tf.GradientTape(persistent=True) as tape:
        pooled = backbone(inputs, training=True)["pooled_output"]
        first = pooled[1, 0]
    jacobian = tape.jacobian(pooled, bias)
    assert jacobian.shape == (*pooled.shape, *bias.shape)
    np.testing.assert_allclose(
        jacobian[1, 0], tape.gradient(first, bias), atol=1e-6
    )


def test_xla_compiles_a_custom_step(backbone, inputs):
    """Around a function that is not compiled and asks for fused kernels."""

    @tf.function
    def step(inputs):
        with fused_kernels():
            return gradient_of(backbone, inputs)

    compiled = tf.function(lambda inputs: step(inputs), jit_compile=True)
    np.testing.assert_allclose(
        compiled(inputs), gradient_of(backbone, inputs), rtol=1e-4, atol=1e-5
    )


def test_fused_kernels_say_that_they_are_differentiated_once(backbone, inputs):
    table = backbone.token_table.value
    with tf.GradientTape() as outer, fused_kernels():
        with tf.GradientTape() as tape:
            value = value_of(backbone, inputs)
        gradient = tf.convert_to_tensor(tape.gradient(value, table))
        penalty = tf.reduce_sum(gradient**2)
    with pytest.raises(NotImplementedError, match="plain_kernels"):
        outer.gradient(penalty, table)


def test_keras_trains_a_model_around_the_backbone_fused_batch_by_batch(
    backbone, inputs, calls_of
):
    symbolic = {
        name: keras.Input((None,), dtype="int32", name=name) for name in inputs
    }
    pooled = backbone(symbolic)["pooled_output"]
    model = keras.Model(symbolic, keras.layers.Dense(1)(pooled))
    model.compile("sgd", loss="mse", run_eagerly=True)
    calls = calls_of(tensorflow_cpu, "project")
    labels = tf.ones((4, 1))
    losses = [model.train_on_batch(inputs, labels)]
    assert calls
    losses.append(model.train_on_batch(inputs, labels))
    assert losses[1] < losses[0]


def test_a_training_endpoint_of_the_users_holds_tensorflows_operations(
    backbone, inputs
):
    """As Keras documents for `ExportArchive`."""
    call = tf.function(lambda inputs: backbone(inputs, training=True))
    graph = call.get_concrete_function(inputs).graph
    assert not [o for o in graph.get_operations() if "Albert" in o.type]
    with fused_kernels():
        call = tf.function(lambda inputs: backbone(inputs, training=True))
        graph = call.get_concrete_function(inputs).graph
    assert [o for o in graph.get_operations() if "Albert" in o.type]
