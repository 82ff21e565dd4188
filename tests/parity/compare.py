"""Compares our models' outputs with those of other software."""

import numpy as np
from keras import ops

from albert_keras.kernels.padded_sequences import attention_bias_from_mask


def our_outputs(model, inputs):
    """Returns all outputs of a model and its backbone, and hidden states.

    Masked-LM logits are computed at every position, as by Hugging Face.
    """
    backbone = getattr(model, "backbone", model)
    rows, length = inputs["token_ids"].shape[0], inputs["token_ids"].shape[-1]
    inputs = dict(inputs)
    inputs["mask_positions"] = np.tile(
        np.arange(length, dtype="int32"), (rows, 1)
    )
    flat = inputs
    if inputs["token_ids"].ndim == 3:  # choices
        del inputs["mask_positions"]
        flat = {k: v.reshape(-1, length) for k, v in inputs.items()}
    outputs = dict(backbone(flat))
    if backbone is not model:
        outputs |= model(inputs)
    arrays = {k: ops.convert_to_numpy(v) for k, v in outputs.items()}
    arrays["hidden_states"] = hidden_states(backbone, flat)
    return arrays


def hidden_states(backbone, inputs):
    """Stacks the projected embeddings and the output of each block."""
    x = backbone.embeddings(inputs["token_ids"], inputs["segment_ids"])
    bias = attention_bias_from_mask(inputs["padding_mask"])
    states = [x]
    for layer in range(backbone.config.num_layers):
        for block in backbone.encoder.blocks_of(layer):
            x = block(x, bias)
            states.append(x)
    return np.stack([ops.convert_to_numpy(state) for state in states])


def assert_close(ours, theirs, inputs, tolerance=1e-5):
    """Asserts that their outputs equal ours at every unpadded position."""
    length = inputs["token_ids"].shape[-1]
    real = inputs["padding_mask"].reshape(-1, length).astype(bool)
    for name, expected in theirs.items():
        actual = ours[name]
        assert actual.shape == expected.shape, name
        if name == "hidden_states":
            actual, expected = actual[:, real], expected[:, real]
        elif expected.shape[:2] == real.shape:
            actual, expected = actual[real], expected[real]
        np.testing.assert_allclose(
            actual, expected, rtol=tolerance, atol=tolerance, err_msg=name
        )
