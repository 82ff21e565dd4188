"""Flash attention, as far as a machine without a GPU can test it."""

import keras
import numpy as np
import pytest
from keras import ops

from albert_keras.kernels import reference
from albert_keras.kernels.flash_attention import has_flash_attention
from albert_keras.kernels.padded_sequences import attention_bias_from_mask
from albert_keras.layers import SelfAttention


@pytest.mark.parametrize("padded", [False, True])
def test_it_gives_what_the_plain_form_gives(rng, monkeypatch, padded):
    layer = SelfAttention(num_heads=3, initializer_range=1.0)
    layer.build((None, None, 12))
    x = ops.convert_to_tensor(rng.normal(size=(4, 7, 12)), "float32")
    bias = None
    if padded:
        lengths = np.array([7, 1, 4, 6])
        bias = attention_bias_from_mask(np.arange(7) < lengths[:, None])
    expected = layer(x, bias)
    monkeypatch.setattr(reference, "has_flash_attention", lambda dtype: True)
    fused = layer(x, bias)
    np.testing.assert_allclose(fused, expected, rtol=0, atol=1e-5)
    assert np.abs(expected).max() > 1.0


def test_it_is_for_half_precision_under_jax_on_gpus(monkeypatch):
    assert not has_flash_attention("bfloat16")  # TensorFlow
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    found = {"names": ["gpu:0", "gpu:1"]}
    monkeypatch.setattr(
        keras.distribution, "list_devices", lambda: found["names"]
    )
    assert has_flash_attention("bfloat16")
    assert has_flash_attention("float16")
    assert not has_flash_attention("float32")
    for others in (["cpu:0"], ["tpu:0", "tpu:1"]):
        found["names"] = others
        assert not has_flash_attention("bfloat16")
    found["names"] = ["gpu:0"]
    monkeypatch.setattr(
        keras.config, "is_flash_attention_enabled", lambda: False
    )
    assert not has_flash_attention("bfloat16")


def test_dropping_probabilities_needs_the_plain_form(monkeypatch):
    monkeypatch.setattr(reference, "has_flash_attention", lambda dtype: True)
    monkeypatch.setattr(reference, "flash_attention", None)
    layer = SelfAttention(num_heads=2, dropout=0.5)
    layer.build((None, None, 4))
    layer(np.ones((1, 3, 4), "float32"), training=True)
    with pytest.raises(TypeError, match="not callable"):
        layer(np.ones((1, 3, 4), "float32"), training=False)
