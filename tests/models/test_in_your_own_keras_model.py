"""The backbone is a Keras model like any other."""

import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone

pytestmark = pytest.mark.heavy


@pytest.mark.slow
def test_it_is_a_layer_of_a_functional_model_that_trains_and_saves(
    tiny_config, rng, tmp_path
):
    backbone = AlbertBackbone.from_config(tiny_config)
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("token_ids", "segment_ids", "padding_mask")
    }
    pooled = backbone(inputs)["pooled_output"]
    model = keras.Model(inputs, keras.layers.Dense(1)(pooled))
    model.compile("adam", loss="mse")
    ids = rng.integers(0, 50, (32, 10)).astype("int32")
    data = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
    }
    target = (ids[:, 1] % 2).astype("float32")
    history = model.fit(data, target, epochs=15, verbose=0).history["loss"]
    assert history[-1] < history[0]

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(data, verbose=0), model.predict(data, verbose=0)
    )


def test_a_frozen_backbone_keeps_its_weights(tiny_config, rng):
    backbone = AlbertBackbone.from_config(tiny_config)
    backbone.trainable = False
    model = keras.Sequential(
        [
            keras.layers.Lambda(
                lambda x: backbone({"token_ids": x})["pooled_output"]
            )
        ]
    )
    assert not model.trainable_weights
    assert backbone.count_params() > 0 and not backbone.trainable_weights


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_copy_from_its_configuration_has_its_type(tiny_config, dtype):
    backbone = AlbertBackbone.from_albert_config(tiny_config, dtype=dtype)
    copy = AlbertBackbone.from_config(backbone.get_config())
    assert copy.dtype_policy.name == dtype
    assert copy.encoder.blocks[0].self_attention.query.dtype_policy.name == (
        dtype
    )
