"""Focal weights and label smoothing, compared with Keras and NumPy."""

import keras
import numpy as np
import pytest

from albert_keras import FocalCrossEntropy

SETTINGS = [(0.0, 0.0), (2.0, 0.0), (0.0, 0.1), (1.5, 0.2)]


@pytest.mark.parametrize("gamma, smoothing", SETTINGS)
def test_losses_of_classes_are_those_of_keras(rng, gamma, smoothing):
    logits = 2 * rng.normal(size=(4, 5, 3)).astype("float32")
    labels = rng.integers(0, 3, (4, 5))
    expected = keras.losses.categorical_focal_crossentropy(
        np.eye(3)[labels],
        logits,
        alpha=1.0,
        gamma=gamma,
        from_logits=True,
        label_smoothing=smoothing,
    )
    loss = FocalCrossEntropy(gamma, smoothing, reduction=None)
    assert loss(labels, logits).shape == (4, 5)
    np.testing.assert_allclose(loss(labels, logits), expected, rtol=1e-5)


@pytest.mark.parametrize("gamma, smoothing", SETTINGS)
def test_losses_of_several_labels_are_those_of_the_papers(
    rng, gamma, smoothing
):
    logits = 2 * rng.normal(size=(4, 3)).astype("float32")
    labels = rng.integers(0, 2, (4, 3))
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    q = labels * (1 - smoothing) + smoothing / 2
    expected = -(
        q * (1 - p) ** gamma * np.log(p) + (1 - q) * p**gamma * np.log(1 - p)
    )
    loss = FocalCrossEntropy(gamma, smoothing, multi_label=True, reduction=None)
    np.testing.assert_allclose(loss(labels, logits), expected, rtol=1e-5)


@pytest.mark.parametrize("multi_label", [False, True])
def test_sure_predictions_have_finite_losses_and_gradients(multi_label):
    import tensorflow as tf

    loss = FocalCrossEntropy(0.5, multi_label=multi_label, reduction="sum")
    logits = tf.constant([[200.0, -200.0], [-200.0, 200.0]])
    labels = [[1, 0], [1, 0]] if multi_label else [0, 0]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits)
    gradient = tape.gradient(value, logits).numpy()
    assert float(value) == pytest.approx(400.0)
    np.testing.assert_array_equal(gradient[0], 0)
    # The wrong row: its focal weight is 1.
    np.testing.assert_allclose(gradient[1], [-1.0, 1.0], atol=1e-5)


def test_a_loss_is_restored_and_refuses_values_out_of_range():
    loss = FocalCrossEntropy(2.0, 0.1, multi_label=True)
    config = keras.losses.serialize(loss)
    restored = keras.losses.deserialize(config)
    assert restored.get_config() == loss.get_config()
    with pytest.raises(ValueError, match="`gamma` must be .* Received: -1"):
        FocalCrossEntropy(-1)
    with pytest.raises(ValueError, match="`label_smoothing` must.*Received: 1"):
        FocalCrossEntropy(label_smoothing=1)
