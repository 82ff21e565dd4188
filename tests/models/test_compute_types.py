"""Models in float64, bfloat16 and float16, without float32 weights."""

import keras
import numpy as np
import pytest

import albert_keras as ak
from tests.marks import others_slow
from tests.task_models import CONFIG, MODELS, make_inputs

pytestmark = pytest.mark.heavy

TOLERANCES = {"bfloat16": 0.1, "float16": 0.02, "float64": 1e-5}


def make(kind, dtype):
    keras.utils.set_random_seed(0)
    backbone = ak.AlbertBackbone.from_albert_config(CONFIG, dtype=dtype)
    return MODELS[kind]["make"](backbone) if kind else backbone


def as_float32(outputs):
    return {
        name: np.asarray(keras.ops.cast(value, "float32"))
        for name, value in outputs.items()
    }


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("kind", others_slow([None, *MODELS]))
def test_outputs_are_near_those_of_float32(kind, dtype):
    inputs = make_inputs(**MODELS.get(kind, {}).get("inputs", {}))
    reference, model = make(kind, "float32"), make(kind, dtype)
    model.set_weights([w.astype(dtype) for w in reference.get_weights()])
    assert {v.dtype for v in model.weights} == {dtype}
    outputs, expected = model(inputs), as_float32(reference(inputs))
    for name, value in as_float32(outputs).items():
        assert outputs[name].dtype == dtype
        tolerance = TOLERANCES[dtype]
        np.testing.assert_allclose(value, expected[name], atol=tolerance)


def test_float64_is_float64_throughout():
    """A change of 1e-12 is seen, which float32 would round away."""
    inputs = make_inputs()
    model, shifted = make(None, "float64"), make(None, "float64")
    shifted.set_weights([w * (1 + 1e-12) for w in model.get_weights()])
    one, other = (
        m(inputs)["sequence_output"].numpy() for m in (model, shifted)
    )
    assert 1e-14 < np.abs(one - other).max() < 1e-9


def update(dtype, make_optimizer, start=None):
    """Returns the first weights, and their change by one update."""
    model = make("pretraining", dtype)
    if start is not None:
        model.set_weights([w.astype(dtype) for w in start])
    start = [w.astype("float32") for w in model.get_weights()]
    model.compile(
        make_optimizer(model),
        gradient_accumulation_steps=2,
        run_eagerly=True,
    )
    inputs = make_inputs(more=("mask_positions",))
    labels = {"mlm": np.full((4, 3), 7), "sop": np.array([0, 1, 1, 0])}
    logs = model.train_on_batch(inputs, labels, return_dict=True)
    assert np.isfinite([float(value) for value in logs.values()]).all()
    end = [w.astype("float32") for w in model.get_weights()]
    return start, np.concatenate(
        [(a - b).ravel() for a, b in zip(end, start, strict=True)]
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "make_optimizer",
    others_slow(
        [
            lambda model: ak.optimizers.Lamb(0.05),
            lambda model: ak.optimizers.adamw(model.trainable_variables, 0.05),
        ]
    ),
    ids=["lamb", "adamw"],
)
def test_an_update_is_near_that_of_float32(make_optimizer):
    """Two micro-batches, whose gradients are summed in float32."""
    start, expected = update("float32", make_optimizer)
    for dtype in ("bfloat16", "float16"):
        _, change = update(dtype, make_optimizer, start)
        cosine = np.dot(change, expected)
        cosine /= np.linalg.norm(change) * np.linalg.norm(expected)
        assert cosine > 0.9, dtype


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_they_are_saved_and_loaded(dtype, tmp_path):
    inputs = make_inputs()
    model = make("sequences", dtype)
    expected = as_float32(model(inputs))["logits"]
    model.save(tmp_path / "model.keras")
    model.save_pretrained(tmp_path / "pretrained")
    for loaded in (
        keras.saving.load_model(tmp_path / "model.keras"),
        type(model).from_pretrained(tmp_path / "pretrained", dtype=dtype),
    ):
        assert {v.dtype for v in loaded.weights} == {dtype}
        np.testing.assert_allclose(
            as_float32(loaded(inputs))["logits"], expected, atol=1e-6
        )


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_the_type_of_new_models_may_be_a_setting_of_keras(dtype):
    try:
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        _, change = update(None, lambda model: keras.optimizers.SGD(0.5))
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    assert np.abs(change).max() > 0


def test_a_policy_may_be_an_object():
    for name in ("mixed_bfloat16", "bfloat16"):
        policy = keras.DTypePolicy(name)
        model = make("sequences", policy)
        assert model.classifier.dtype_policy.name == name
        again = type(model).from_config(model.get_config())
        assert again.backbone.dtype_policy == policy
