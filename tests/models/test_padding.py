"""Outputs at padding are the same in every mode and on every backend.

tests/training/steps/test_targets_elsewhere.py runs it on JAX.
"""

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.kernels import fused_kernels
from albert_keras.kernels.padded_sequences import zero_padding
from tests.marks import others_slow
from tests.references import albert
from tests.task_models import CONFIG, MODELS, make_inputs, make_model

pytestmark = pytest.mark.heavy

ON_TENSORFLOW = keras.config.backend() == "tensorflow"
# Padding at the end, holes, padding at the start, and no token at all.
MASK = np.array(
    [[1, 1, 1, 0, 0], [1, 0, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]],
    "int32",
)


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    return ak.AlbertBackbone.from_config(CONFIG)


def padded_inputs(kind):
    inputs = make_inputs(**MODELS[kind].get("inputs", {}))
    mask = MASK
    if inputs["token_ids"].ndim == 3:
        mask = np.stack([MASK, MASK[::-1]], axis=1)
    return {**inputs, "padding_mask": mask}


def modes_of(model, compiled):
    """The ways to compute outputs, by name."""

    def fit(inputs):
        with fused_kernels():
            return model(inputs, training=True)

    modes = {
        "call": model,
        "training": lambda x: model(x, training=True),
        "fit": fit,
        "predict": model.predict_on_batch,
    }
    if compiled and ON_TENSORFLOW:
        import tensorflow as tf

        # As `export` traces it.
        modes["function"] = tf.function(lambda x: model(x, training=False))
    return modes


def outputs_by_mode(model, inputs, compiled=True):
    return {
        mode: {
            name: keras.ops.convert_to_numpy(value)
            for name, value in call(inputs).items()
        }
        for mode, call in modes_of(model, compiled).items()
    }


def assert_same(outputs):
    expected = outputs["call"]
    for mode, values in outputs.items():
        assert values.keys() == expected.keys()
        for name, value in values.items():
            np.testing.assert_allclose(
                value,
                expected[name],
                rtol=1e-5,
                atol=1e-5,
                err_msg=f"{name} in {mode}",
            )


def test_the_sequence_output_is_zero_at_padding_in_every_mode(backbone):
    inputs = {**make_inputs(), "padding_mask": MASK}
    outputs = outputs_by_mode(backbone, inputs)
    assert_same(outputs)
    for mode, values in outputs.items():
        sequence = values["sequence_output"]
        assert (sequence[MASK == 0] == 0).all(), mode
        assert (np.abs(sequence[MASK == 1]).max(axis=-1) > 0).all(), mode
        assert np.isfinite(values["pooled_output"]).all(), mode


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
def test_masks_of_any_type_are_the_same(backbone, dtype):
    inputs = make_inputs()
    expected = backbone({**inputs, "padding_mask": MASK})
    mask = MASK.astype(dtype)
    for training in (False, True):
        outputs = backbone({**inputs, "padding_mask": mask}, training=training)
        for name, value in expected.items():
            np.testing.assert_allclose(outputs[name], value, atol=1e-5)


def test_at_tokens_outputs_are_those_of_numpy(backbone):
    model = ak.AlbertForPretraining(backbone)
    inputs = {k: v[:3] for k, v in padded_inputs("pretraining").items()}
    weights = model.to_parts().weights
    expected = albert.forward(weights, CONFIG, inputs)
    outputs = backbone(inputs)
    is_token = MASK[:3, :, None] == 1
    for name, zero in (("sequence_output", is_token), ("pooled_output", True)):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(outputs[name]),
            np.where(zero, expected[name], 0),
            rtol=1e-4,
            atol=1e-5,
        )


def test_positions_to_read_are_zero_at_padding_in_every_mode(backbone):
    inputs = {**make_inputs(), "padding_mask": MASK}
    read = np.array([[4, 1, 1], [1, 0, 2], [0, 4, 1], [0, 1, 4]], "int32")
    outputs = outputs_by_mode(backbone, {**inputs, "read_positions": read})
    assert_same(outputs)
    whole = keras.ops.convert_to_numpy(backbone(inputs)["sequence_output"])
    np.testing.assert_allclose(
        outputs["call"]["sequence_output"],
        np.take_along_axis(whole, read[..., None], axis=1),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("kind", others_slow(MODELS))
def test_every_head_computes_the_same_in_every_mode(kind):
    model = make_model(kind)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    outputs = outputs_by_mode(model, padded_inputs(kind), compiled=False)
    assert_same(outputs)
    for values in outputs["call"].values():
        assert np.isfinite(values).all()


def test_an_answer_is_never_at_padding_whatever_the_answer_mask(backbone):
    inputs = {**make_inputs(), "padding_mask": MASK}
    outputs = ak.AlbertForQuestionAnswering(backbone)(
        {**inputs, "answer_mask": np.ones_like(MASK)}
    )
    for logits in outputs.values():
        logits = keras.ops.convert_to_numpy(logits)
        assert (logits[MASK == 0] == -30000).all()
        assert (np.abs(logits[MASK == 1]) < 100).all()


def test_a_pooling_head_sees_the_same_in_fit_and_evaluate(backbone):
    inputs = {**make_inputs(), "padding_mask": MASK}
    symbolic = {
        name: keras.Input((None,), dtype="int32", name=name) for name in inputs
    }
    outputs = backbone(symbolic)
    highest = keras.layers.GlobalMaxPooling1D()(outputs["sequence_output"])
    x = keras.layers.Concatenate()([highest, outputs["pooled_output"]])
    model = keras.Model(symbolic, keras.layers.Dense(3)(x))
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    labels = np.array([0, 1, 2, 1])
    fitted = model.fit(inputs, labels, verbose=0).history["loss"][0]
    evaluated = model.evaluate(inputs, labels, verbose=0)
    assert fitted == pytest.approx(evaluated, rel=1e-6)


def test_not_even_nan_at_padding_is_seen():
    x = np.full((4, 5, 2), np.nan, "float32")
    x[MASK == 1] = 1.0
    zeroed = keras.ops.convert_to_numpy(zero_padding(x, MASK))
    np.testing.assert_array_equal(zeroed, np.stack([MASK] * 2, axis=-1))


@pytest.mark.skipif(not ON_TENSORFLOW, reason="Uses a GradientTape.")
@pytest.mark.parametrize("training", [False, True])
def test_a_loss_at_padding_has_no_gradient(backbone, training):
    import tensorflow as tf

    inputs = {**make_inputs(), "padding_mask": MASK}
    with tf.GradientTape() as tape, fused_kernels():
        x = backbone(inputs, training=training)["sequence_output"]
        loss = tf.reduce_sum(tf.boolean_mask(x, MASK == 0))
    values = [v.value for v in backbone.trainable_variables]
    for gradient in tape.gradient(
        loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO
    ):
        assert not np.any(tf.convert_to_tensor(gradient))
