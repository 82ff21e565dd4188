"""The forward pass equals a NumPy reference and refuses invalid input."""

import dataclasses

import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertForMaskedLM, AlbertForPretraining
from albert_keras.conversion.weight_places import weights_by_place
from tests.batches import make_batch
from tests.references import albert


def randomize(model, rng):
    """Makes every weight random, so that every bias and scale matters."""
    for variable in model.weights:
        variable.assign(variable + rng.normal(size=variable.shape) * 0.1)


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        dict(activation="gelu"),
        dict(activation="relu"),
        dict(pre_layer_norm=True),
        dict(num_layers=4, num_groups=2, num_inner_repetitions=2),
        dict(num_layers=6, num_groups=3, pre_layer_norm=True),
        dict(num_heads=4, embedding_dim=8),
    ],
    ids=str,
)
def test_all_outputs_equal_the_numpy_reference(tiny_config, rng, changes):
    config = dataclasses.replace(tiny_config, **changes)
    model = AlbertForPretraining(AlbertBackbone.from_config(config))
    randomize(model, rng)
    inputs, _, _ = make_batch(rng, config)

    weights = {
        name: keras.ops.convert_to_numpy(v)
        for name, v in weights_by_place(model, "backbone").items()
    }
    expected = albert.forward(weights, config, inputs)
    outputs = {**model.backbone(inputs), **model(inputs)}
    real = inputs["padding_mask"][..., None] == 1
    for name, value in expected.items():
        actual = keras.ops.convert_to_numpy(outputs[name])
        if name == "sequence_output":
            value = value * real
        np.testing.assert_allclose(
            actual, value, rtol=1e-5, atol=1e-5, err_msg=name
        )


def test_padding_does_not_change_the_outputs(pretraining_model, rng):
    ids = rng.integers(5, 50, (2, 7)).astype("int32")
    padded = np.concatenate([ids, np.zeros((2, 5), "int32")], axis=1)
    mask = (np.arange(12) < 7)[None].repeat(2, 0).astype("int32")
    backbone = pretraining_model.backbone
    short = backbone({"token_ids": ids})
    long = backbone({"token_ids": padded, "padding_mask": mask})
    np.testing.assert_allclose(
        short["sequence_output"], long["sequence_output"][:, :7], atol=1e-5
    )
    np.testing.assert_allclose(
        short["pooled_output"], long["pooled_output"], atol=1e-5
    )


def test_segments_and_mask_may_be_left_out(pretraining_model, rng):
    ids = rng.integers(0, 50, (3, 9)).astype("int32")
    short = pretraining_model.backbone({"token_ids": ids})
    full = pretraining_model.backbone(
        {
            "token_ids": ids,
            "segment_ids": np.zeros_like(ids),
            "padding_mask": np.ones_like(ids),
        }
    )
    for name in short:
        np.testing.assert_allclose(short[name], full[name], atol=1e-6)


def test_the_masked_lm_model_gives_the_logits_of_the_pretraining_model(
    pretraining_model, rng
):
    inputs, _, _ = make_batch(rng, pretraining_model.config)
    model = AlbertForMaskedLM(pretraining_model.backbone)
    for mine, theirs in zip(
        model.mlm_head.weights, pretraining_model.mlm_head.weights, strict=True
    ):
        mine.assign(theirs)
    np.testing.assert_array_equal(
        model(inputs)["mlm_logits"], pretraining_model(inputs)["mlm_logits"]
    )


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_near_float32_and_keeps_float32_weights(
    tiny_config, rng, dtype
):
    full = AlbertForPretraining(AlbertBackbone.from_config(tiny_config))
    half = AlbertForPretraining.from_albert_config(tiny_config, dtype=dtype)
    half.set_weights(full.get_weights())
    inputs, _, _ = make_batch(rng, tiny_config)
    assert {v.dtype for v in half.weights} == {"float32"}
    for name, value in full(inputs).items():
        actual = keras.ops.cast(half(inputs)[name], "float32")
        assert half(inputs)[name].dtype == dtype.removeprefix("mixed_")
        np.testing.assert_allclose(actual, value, atol=0.1, err_msg=name)


def test_dropout_is_active_in_training_alone(tiny_config, rng):
    config = dataclasses.replace(
        tiny_config, hidden_dropout=0.5, attention_dropout=0.5
    )
    backbone = AlbertBackbone.from_config(config)
    ids = {"token_ids": rng.integers(0, 50, (2, 8)).astype("int32")}
    outputs = [backbone(ids)["pooled_output"] for _ in range(2)]
    np.testing.assert_array_equal(*outputs)
    outputs = [backbone(ids, training=True)["pooled_output"] for _ in range(2)]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-3


def test_ids_past_the_vocabulary_are_refused(pretraining_model):
    with pytest.raises(ValueError, match="from 0 to 50, vocabulary_size=50"):
        pretraining_model.backbone({"token_ids": np.array([[0, 50]])})
    with pytest.raises(ValueError, match="ids from -1"):
        pretraining_model.backbone({"token_ids": np.array([[-1, 3]])})


def test_ids_past_the_vocabulary_are_refused_in_fit_and_predict(
    pretraining_model, rng
):
    inputs, _, _ = make_batch(rng, pretraining_model.config)
    inputs["token_ids"][3, 2] = 50
    with pytest.raises(Exception, match=r"50.*not in \[0, 50\)"):
        pretraining_model.predict(inputs, verbose=0)


def test_sequences_longer_than_the_positions_are_refused(pretraining_model):
    with pytest.raises(ValueError, match="length 17, max_sequence_length=16"):
        pretraining_model.backbone({"token_ids": np.zeros((1, 17), "int32")})
