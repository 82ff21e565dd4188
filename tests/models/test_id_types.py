"""Ids, positions and masks of any integer or float type."""

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.layers import FactorizedEmbedding
from tests.marks import others_slow
from tests.task_models import CONFIG, MODELS, make_inputs, model_and_inputs

pytestmark = pytest.mark.heavy

TYPES = ["bool", "int8", "uint8", "int16", "uint16", "uint32", "int64"]
TYPES += ["uint64", "float16", "float32", "float64"]


def cast(inputs, dtype):
    """Casts all inputs, but ids not to Booleans."""
    return {
        name: value.astype(
            "int8" if dtype == "bool" and name != "padding_mask" else dtype
        )
        for name, value in inputs.items()
    }


@pytest.mark.parametrize("dtype", TYPES)
def test_all_types_give_the_outputs_of_int32(dtype):
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    inputs = make_inputs()
    inputs["segment_ids"][:, 2:] = 1
    inputs["padding_mask"][1:, 3:] = 0
    inputs["read_positions"] = np.array([[1, 2]] * 4, "int32")
    expected = backbone(inputs)
    for name, output in backbone(cast(inputs, dtype)).items():
        np.testing.assert_array_equal(output, expected[name], name)


@pytest.mark.heavy
@pytest.mark.parametrize("kind", others_slow(MODELS))
def test_every_model_predicts_and_trains_on_floats(kind):
    model, inputs = model_and_inputs(kind)
    labels = {
        name: np.zeros(shape, "float32")
        for name, (shape, _) in MODELS[kind]["labels"].items()
    }
    expected = model.predict(inputs, verbose=0)
    actual = model.predict(cast(inputs, "float32"), verbose=0)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], name)
    assert model.evaluate(
        cast(inputs, "uint8"), labels, verbose=0
    ) == model.evaluate(inputs, labels, verbose=0)


def test_mixed_precision_does_not_round_ids(rng):
    """bfloat16 holds whole numbers up to 256."""
    config = ak.AlbertConfig(**{**CONFIG.to_dict(), "vocabulary_size": 3000})
    backbone = ak.AlbertBackbone.from_albert_config(
        config, dtype="mixed_bfloat16"
    )
    ids = rng.integers(2000, 3000, (2, 9))
    layer = FactorizedEmbedding(3000, 6, 8, dtype="mixed_bfloat16")
    for function in (
        lambda ids: backbone({"token_ids": ids})["sequence_output"],
        lambda ids: layer(ids, np.zeros_like(ids)),
    ):
        expected = function(ids.astype("int32"))
        actual = function(ids.astype("float32"))
        assert keras.backend.standardize_dtype(actual.dtype) == "bfloat16"
        np.testing.assert_array_equal(
            keras.ops.cast(actual, "float32"),
            keras.ops.cast(expected, "float32"),
        )


def test_a_type_that_rounds_ids_is_refused():
    backbone = ak.AlbertBackbone.from_config(
        ak.AlbertConfig(**{**CONFIG.to_dict(), "vocabulary_size": 3000})
    )
    ids = np.array([[2, 5, 3]])
    with pytest.raises(ValueError, match="float16, which rounds .* 2048"):
        backbone({"token_ids": ids.astype("float16")})
    types = {"segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    types = {name: value.astype("float16") for name, value in types.items()}
    backbone({"token_ids": ids, **types})


@pytest.mark.heavy
def test_an_input_without_a_type_is_one_of_floats():
    """As in `keras.layers.Embedding`, whose ids Keras takes for float32."""
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    symbol = keras.Input((None,), name="token_ids")
    pooled = backbone({"token_ids": symbol})["pooled_output"]
    model = keras.Model(symbol, pooled)
    ids = make_inputs()["token_ids"]
    np.testing.assert_allclose(
        model.predict(ids, verbose=0),
        backbone({"token_ids": ids})["pooled_output"],
        atol=1e-6,
    )
