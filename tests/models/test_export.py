"""Exported models run without this package, with rows of any length."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.kernels import plain_kernels
from tests.processes import run_python
from tests.task_models import CONFIG, MODELS, make_inputs

pytestmark = pytest.mark.heavy

MAKERS = {"backbone": lambda b: b, **{k: m["make"] for k, m in MODELS.items()}}
SOME = ("sequences", "pretraining")
# Serves exported models: the arguments are directories that hold a model, and
# batches of inputs as `N.npz`; writes the outputs as `N-outputs.npz`.
SERVE = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf

for directory in map(Path, sys.argv[1:]):
    served = tf.saved_model.load(directory / "model")
    for file in sorted(directory.glob("?.npz")):
        inputs = {k: tf.constant(v) for k, v in np.load(file).items()}
        outputs = served.serve(inputs)
        outputs = {k: tf.cast(v, tf.float32) for k, v in outputs.items()}
        np.savez(directory / f"{file.stem}-outputs.npz", **outputs)
assert not [name for name in sys.modules if name.startswith("albert_keras")]
"""


def batches_of(kind):
    """Two batches of different sizes, the second one with padding."""
    arguments = MODELS.get(kind, {}).get("inputs", {})
    first, second = (make_inputs(rows, **arguments) for rows in (4, 3))
    second = {
        name: value if name == "mask_positions" else value[..., :4]
        for name, value in second.items()
    }
    if "mask_positions" in second:
        second["mask_positions"] = second["mask_positions"] % 4
    second["padding_mask"] = second["padding_mask"].copy()
    second["padding_mask"][1:, ..., 2:] = 0
    second["segment_ids"] = second["segment_ids"] + 1
    return first, second


def predictions(model, batch):
    with plain_kernels():
        outputs = model(batch)
    return {
        name: np.asarray(keras.ops.cast(value, "float32"))
        for name, value in outputs.items()
    }


@pytest.mark.process
@pytest.mark.parametrize(
    "kinds",
    [SOME, pytest.param(set(MAKERS) - set(SOME), marks=pytest.mark.slow)],
    ids=["some", "others"],
)
@pytest.mark.slow
def test_models_are_served_without_this_package(tmp_path, kinds):
    """Without a call before, and after `fit` and `predict`."""
    expected = {}
    for kind in kinds:
        keras.utils.set_random_seed(0)
        dtype = "mixed_bfloat16" if kind == "sequences" else None
        backbone = ak.AlbertBackbone.from_albert_config(CONFIG, dtype=dtype)
        model = MAKERS[kind](backbone)
        batches = batches_of(kind)
        if kind == "sequences":
            model.compile("sgd")
            model.fit(batches[0], np.array([0, 1, 2, 1]), verbose=0)
            model.predict(batches[0], verbose=0)
        directory = tmp_path / kind
        model.export(directory / "model", verbose=False)
        for number, batch in enumerate(batches):
            np.savez(directory / f"{number}.npz", **batch)
            expected[directory / f"{number}-outputs.npz"] = predictions(
                model, batch
            )
    run_python("-c", SERVE, *(tmp_path / kind for kind in kinds))
    for file, outputs in expected.items():
        served = np.load(file)
        assert set(served) == set(outputs)
        for name, value in outputs.items():
            assert served[name].shape == value.shape
            # bfloat16 has 8 bits; sums are in another order.
            tolerance = 2e-2 if "sequences" in file.parts else 1e-5
            np.testing.assert_allclose(
                served[name], value, atol=tolerance, err_msg=f"{file} {name}"
            )


def test_an_export_may_lack_optional_inputs_and_refuses_long_rows(tmp_path):
    spec = keras.InputSpec(shape=(None, None), dtype="int32", name="token_ids")
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    backbone.export(
        tmp_path, verbose=False, input_signature=[{"token_ids": spec}]
    )
    layer = keras.layers.TFSMLayer(tmp_path)
    ids = {"token_ids": make_inputs()["token_ids"]}
    np.testing.assert_allclose(
        layer(ids)["pooled_output"],
        predictions(backbone, ids)["pooled_output"],
        atol=1e-5,
    )
    with pytest.raises(Exception, match="16"):
        layer({"token_ids": np.ones((1, 17), "int32")})


def test_tensorflow_saves_a_model_with_its_inputs(tmp_path):
    import tensorflow as tf

    model = MODELS["masked"]["make"](ak.AlbertBackbone.from_config(CONFIG))
    tf.saved_model.save(model, tmp_path)
    serve = tf.saved_model.load(tmp_path).signatures["serving_default"]
    _, specs = serve.structured_input_signature
    assert len(specs) == 4
    assert {spec.dtype for spec in specs.values()} == {tf.int32}


ON_JAX = """
import json, sys
from pathlib import Path
import jax, numpy as np, tensorflow as tf
import albert_keras as ak
from tests.models.test_export import MAKERS, batches_of, predictions
from tests.task_models import CONFIG

differences = {}
for kind in ("choices", "pretraining"):
    model = MAKERS[kind](ak.AlbertBackbone.from_config(CONFIG))
    directory = Path(sys.argv[1], kind)
    model.export(directory, verbose=False)
    loaded = tf.saved_model.load(directory)
    for batch in batches_of(kind):
        served = loaded.serve({k: tf.constant(v) for k, v in batch.items()})
        for name, value in predictions(model, batch).items():
            key = f"{kind} {name} {len(batch['token_ids'])}"
            differences[key] = float(np.abs(served[name] - value).max())
long = {k: tf.ones((17, 17), tf.int32) for k in batch}
try:
    loaded.serve(long)
except Exception as error:
    assert "length" in str(error), error
else:
    raise AssertionError("17 tokens for 16 positions")
print(json.dumps(differences))
"""


@pytest.mark.process
@pytest.mark.slow
def test_exports_under_jax_have_rows_of_any_length(tmp_path):
    output = subprocess.run(
        [sys.executable, "-c", ON_JAX, tmp_path],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    differences = json.loads(output.splitlines()[-1])
    assert len(differences) == 2 * (1 + 2)
    assert max(differences.values()) < 1e-5
