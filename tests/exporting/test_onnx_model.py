"""ONNX graphs compute what the models compute, and store weights once."""

import dataclasses

import numpy as np
import onnxruntime
import pytest

import albert_keras as ak
from albert_keras.exporting.onnx_model import onnx_model
from albert_keras.kernels import plain_kernels
from tests.task_models import CONFIG, MODELS, make_inputs

pytestmark = pytest.mark.heavy

MAKERS = {"backbone": lambda b: b, **{k: m["make"] for k, m in MODELS.items()}}
SHAPES = {
    "the paper's": {},
    "normalized before": dict(pre_layer_norm=True, activation="relu"),
    "groups": dict(
        num_layers=4,
        num_groups=2,
        num_inner_repetitions=2,
        activation="gelu",
    ),
}


def make_model(kind, rng, **fields):
    config = dataclasses.replace(CONFIG, **fields)
    model = MAKERS[kind](ak.AlbertBackbone.from_config(config))
    for variable in model.weights:
        variable.assign(0.5 * rng.normal(size=variable.shape))
    return model


def batches_of(kind):
    """Two batches of different sizes; the second one with padding."""
    arguments = MODELS.get(kind, {}).get("inputs", {})
    first, second = (make_inputs(rows, **arguments) for rows in (4, 3))
    second = {
        name: value % 4 if name == "mask_positions" else value[..., :4].copy()
        for name, value in second.items()
    }
    second["segment_ids"] += 1
    second["padding_mask"][1, ..., 2:] = 0
    second["padding_mask"][2] = 0  # a row without tokens
    if kind == "answerable":
        for batch in (first, second):
            batch["answer_mask"] = batch["padding_mask"].copy()
            batch["answer_mask"][:, 1] = 0
    return first, second


def session_of(model):
    graph = onnx_model(model.to_parts())
    return onnxruntime.InferenceSession(graph.SerializeToString())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", MAKERS)
def test_onnx_runtime_computes_the_outputs_of_the_model(kind, shape, rng):
    if shape != "the paper's" and kind not in ("backbone", "masked"):
        pytest.skip("the heads do not depend on it")
    model = make_model(kind, rng, **SHAPES[shape])
    session = session_of(model)
    names = {value.name for value in session.get_inputs()}
    for batch in batches_of(kind):
        assert names == set(batch)
        with plain_kernels():
            expected = model(batch)
        outputs = session.run(list(expected), batch)
        for value, found in zip(expected.values(), outputs, strict=True):
            np.testing.assert_allclose(found, value, atol=1e-5)


def test_weights_that_layers_share_are_stored_once(rng):
    few, many = (
        onnx_model(make_model("masked", rng, num_layers=n).to_parts())
        for n in (1, 12)
    )
    sizes = [
        sum(int(np.prod(t.dims)) for t in model.graph.initializer)
        for model in (few, many)
    ]
    assert sizes[0] == sizes[1]
    parameters = make_model("masked", rng).count_params()
    pooler = CONFIG.hidden_dim * (CONFIG.hidden_dim + 1)  # of no use here
    assert 0 <= sizes[1] - (parameters - pooler) < 64  # constants


def test_rows_that_are_too_long_are_an_error(rng):
    session = session_of(make_model("backbone", rng))
    long = {
        k: np.ones((1, CONFIG.max_sequence_length + 1), "int32")
        for k in ("token_ids", "segment_ids", "padding_mask")
    }
    with pytest.raises(Exception, match="ShapeMismatch|broadcast|Add"):
        session.run(None, long)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_a_model_of_int8_kernels_is_refused(rng):
    model = make_model("sequences", rng)
    model.quantize("int8")
    with pytest.raises(ValueError, match="in floats.*before `quantize`"):
        onnx_model(model.to_parts())
