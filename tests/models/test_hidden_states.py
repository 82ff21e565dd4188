"""Hidden states and attentions, compared with the NumPy reference.

Runs on any backend of Keras; tests/training/steps/test_targets_elsewhere.py
runs it on JAX.
"""

import dataclasses
import math

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.conversion.weight_places import weights_by_place
from tests.batches import make_batch
from tests.references import albert

pytestmark = pytest.mark.heavy

CHANGES = [
    dict(),
    dict(pre_layer_norm=True),
    dict(num_layers=4, num_groups=2, num_inner_repetitions=2),
]


def numpy_of(tensor):
    return keras.ops.convert_to_numpy(tensor)


def reference(weights, config, inputs, row):
    """Hidden states and attentions of a row, in float64."""
    w = {name: np.asarray(v, "float64") for name, v in weights.items()}
    mask = inputs["padding_mask"][row]
    x = albert.embed(w, inputs["token_ids"][row], inputs["segment_ids"][row])
    states, attentions = [x], []
    width = config.hidden_dim // config.num_heads
    for layer in range(config.num_layers):
        group = layer * config.num_groups // config.num_layers
        for block in range(config.num_inner_repetitions):
            prefix = f"backbone/encoder/group_{group}_block_{block}"
            normed = x
            if config.pre_layer_norm:
                name = f"{prefix}/attention_layer_norm"
                normed = albert.layer_norm(w, name, x)
            q, k = (
                albert.dense(w, f"{prefix}/self_attention/{name}", normed)
                for name in ("query", "key")
            )
            heads = []
            for head in range(config.num_heads):
                part = slice(head * width, (head + 1) * width)
                scores = q[:, part] @ k[:, part].T / math.sqrt(width)
                e = np.exp(scores - scores.max()) * mask
                heads.append(e / e.sum(axis=-1, keepdims=True))
            attentions.append(heads)
            x = albert.transformer_block(w, prefix, x, mask, config)
        states.append(x)
    if config.pre_layer_norm:
        name = "backbone/encoder/final_layer_norm"
        states[-1] = albert.layer_norm(w, name, x)
    return np.array(states), np.array(attentions)


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_hidden_states_and_attentions_equal_the_numpy_reference(
    tiny_config, rng, changes
):
    config = dataclasses.replace(tiny_config, **changes)
    backbone = ak.AlbertBackbone.from_config(config)
    for variable in backbone.weights:
        variable.assign(variable + rng.normal(size=variable.shape) * 0.1)
    inputs, _, _ = make_batch(rng, config)
    plain = backbone(inputs)
    outputs = backbone(
        inputs, output_hidden_states=True, output_attentions=True
    )
    assert set(outputs) - set(plain) == {"hidden_states", "attentions"}
    assert len(outputs["hidden_states"]) == config.num_layers + 1
    blocks = config.num_layers * config.num_inner_repetitions
    assert len(outputs["attentions"]) == blocks
    weights = {
        name: numpy_of(v) for name, v in weights_by_place(backbone).items()
    }
    weights = {
        name if name.startswith("backbone/") else f"backbone/{name}": value
        for name, value in weights.items()
    }
    states = np.array([*map(numpy_of, outputs["hidden_states"])])
    attentions = np.array([*map(numpy_of, outputs["attentions"])])
    for row, mask in enumerate(inputs["padding_mask"]):
        expected, probabilities = reference(weights, config, inputs, row)
        np.testing.assert_allclose(
            states[:, row], expected * mask[:, None], rtol=1e-5, atol=1e-5
        )
        real = mask == 1
        np.testing.assert_allclose(
            attentions[:, row][:, :, real],
            probabilities[:, :, real],
            rtol=1e-5,
            atol=1e-5,
        )
    np.testing.assert_array_equal(
        states[-1], numpy_of(outputs["sequence_output"])
    )
    for name, value in plain.items():
        np.testing.assert_allclose(
            numpy_of(outputs[name]), numpy_of(value), atol=1e-5
        )
    # Hidden states alone are those of the fused kernels.
    alone = backbone(inputs, output_hidden_states=True)
    assert "attentions" not in alone
    np.testing.assert_array_equal(
        numpy_of(alone["sequence_output"]), numpy_of(plain["sequence_output"])
    )


@pytest.mark.heavy
def test_a_model_of_your_own_has_them_as_outputs(tiny_config, rng):
    backbone = ak.AlbertBackbone.from_config(tiny_config)
    inputs, _, _ = make_batch(rng, tiny_config)
    inputs.pop("mask_positions")
    symbols = {
        name: keras.Input((None,), dtype="int32", name=name) for name in inputs
    }
    outputs = backbone(
        symbols, output_hidden_states=True, output_attentions=True
    )
    model = keras.Model(
        symbols, [outputs["hidden_states"][1], outputs["attentions"][0]]
    )
    expected = backbone(
        inputs, output_hidden_states=True, output_attentions=True
    )
    state, attention = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(
        state, numpy_of(expected["hidden_states"][1]), atol=1e-6
    )
    np.testing.assert_allclose(
        attention, numpy_of(expected["attentions"][0]), atol=1e-6
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "how", ["backbone", pytest.param("classifier", marks=pytest.mark.slow)]
)
def test_embeddings_take_the_place_of_ids(tiny_config, rng, how):
    backbone = ak.AlbertBackbone.from_config(tiny_config)
    model = backbone
    if how == "classifier":
        model = ak.AlbertForSequenceClassification(backbone)
    inputs, _, _ = make_batch(rng, tiny_config)
    embeddings = numpy_of(backbone.token_table)[inputs["token_ids"]]
    given = {
        "inputs_embeds": embeddings,
        "segment_ids": inputs["segment_ids"],
        "attention_mask": inputs["padding_mask"],
    }
    inputs.pop("mask_positions")
    for found, expected in (
        (model(given), model(inputs)),
        (model.predict(given, verbose=0), model.predict(inputs, verbose=0)),
    ):
        for name, value in expected.items():
            np.testing.assert_allclose(
                numpy_of(found[name]), numpy_of(value), atol=1e-6
            )
    # Not a constant, which layer normalization would remove.
    noise = rng.normal(size=embeddings.shape)
    moved = model({**given, "inputs_embeds": embeddings + noise})
    for name, value in model(inputs).items():
        assert np.abs(numpy_of(moved[name]) - numpy_of(value)).max() > 1e-2


def test_inputs_that_do_not_go_together_are_refused(tiny_config):
    backbone = ak.AlbertBackbone.from_config(tiny_config)
    ids, width = np.ones((2, 3), "int32"), tiny_config.embedding_dim
    positions = np.zeros((2, 1), "int32")
    for inputs, message in (
        (
            {"token_ids": ids, "inputs_embeds": np.ones((2, 3, width))},
            "'token_ids' or 'inputs_embeds'",
        ),
        ({"inputs_embeds": np.ones((2, 3, 5), "float32")}, "= 6. Received"),
        ({"inputs_embeds": np.ones((2, 3), "float32")}, "the shapes"),
        (
            {"inputs_embeds": np.ones((2, 3, width)), "segment_ids": ids[:1]},
            "the shapes",
        ),
        ({"segment_ids": ids}, "needs the input 'token_ids'"),
        ({"inputs_embeds": np.ones((2, 99, width))}, "length 99"),
    ):
        with pytest.raises(ValueError, match=message):
            backbone(inputs)
    for flag in ("output_hidden_states", "output_attentions"):
        with pytest.raises(ValueError, match="Received: `read_positions`"):
            backbone(
                {"token_ids": ids, "read_positions": positions}, **{flag: True}
            )
