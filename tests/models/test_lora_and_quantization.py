"""LoRA and int8 reach every linear layer, and every way of saving keeps them.

The right values are those of a plain model whose kernels NumPy computed.
"""

import dataclasses

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.conversion.weight_places import (
    layers_by_place,
    weights_by_place,
)
from albert_keras.kernels import plain_kernels
from albert_keras.optimizers import Lamb
from albert_keras.training.runs.checkpoint import (
    restore_checkpoint,
    save_checkpoint,
)
from tests import task_models
from tests.formats import FORMATS_HERE
from tests.marks import others_slow

INPUTS = {"token_ids": np.array([[2, 7, 9, 3], [2, 8, 3, 0]], "int32")}
LABELS = np.array([0, 2])
BLOCK = "backbone/encoder/group_0_block_0/"
LINEAR = {
    *(f"{BLOCK}self_attention/{n}" for n in ("query", "key", "value")),
    f"{BLOCK}self_attention/output",
    f"{BLOCK}intermediate",
    f"{BLOCK}feed_forward_output",
    "backbone/embeddings/projection",
    "backbone/pooler",
}
# Keras warns of every layer that it cannot quantize.
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore:Layer .* does not have a"),
]


CONFIG = dataclasses.replace(task_models.CONFIG, num_layers=2)


def make_model(**kwargs):
    backbone = ak.AlbertBackbone.from_albert_config(CONFIG, **kwargs)
    return ak.AlbertForSequenceClassification(backbone, 3, dropout=0.0)


@pytest.fixture
def adapted(rng):
    """A classifier with random updates of rank 2."""
    return adapt(make_model(), rng)


@pytest.fixture(scope="module")
def quantized():
    """An int8 classifier that is only read: to quantize takes a while."""
    keras.utils.set_random_seed(0)
    return quantize(make_model())


def adapt(model, rng, alpha=6):
    model.enable_lora(2, lora_alpha=alpha)
    for variable in model.weights:
        if variable.name.startswith("lora_"):
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


def quantize(model, rng=None):
    model.quantize("int8")
    return model


def quantize_and_adapt(model, rng):
    return adapt(quantize(model), rng)


def logits(model):
    return np.asarray(model(INPUTS)["logits"])


def arrays(model):
    named = weights_by_place(model, "backbone")
    return {name: np.asarray(variable) for name, variable in named.items()}


def layers(model):
    return layers_by_place(model, "backbone")


def plain_copy(model):
    """A model without LoRA and int8, with kernels that NumPy computes."""
    plain = make_model()
    values = arrays(model)
    for name, variable in weights_by_place(plain, "backbone").items():
        place = name.rsplit("/", 1)[0]
        value = values[name].astype("float32")
        if values[name].dtype == "int8":
            value = value / values[f"{place}/kernel_scale"]
        if name.endswith("kernel") and f"{place}/lora_kernel_a" in values:
            a, b = (values[f"{place}/lora_kernel_{x}"] for x in "ab")
            value = value + 6 / 2 * a @ b
        variable.assign(value)
    return plain


def assert_close(mine, theirs, atol=2e-5):
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=atol)


# === LoRA ===


def test_lora_reaches_every_linear_layer_of_the_backbone():
    model = make_model()
    before = logits(model)
    model.enable_lora(4)
    named = weights_by_place(model, "backbone").items()
    trained = {name.rpartition("/")[0] for name, v in named if v.trainable}
    assert trained == LINEAR | {"classifier"}
    trained = {v.name for v in model.backbone.trainable_variables}
    assert trained == {"lora_kernel_a", "lora_kernel_b"}
    # One update for the block that both layers apply.
    assert len(model.backbone.trainable_variables) == 2 * len(LINEAR)
    np.testing.assert_array_equal(logits(model), before)


def test_the_backbone_and_the_model_take_the_names_of_layers():
    model = make_model()
    model.backbone.enable_lora(2, target_layer_names=["query", "value"])
    assert len(model.backbone.trainable_variables) == 4


def test_updates_of_low_rank_are_added_to_the_kernels(adapted):
    assert_close(logits(adapted), logits(plain_copy(adapted)))
    assert np.abs(logits(adapted) - logits(plain_of(adapted))).max() > 0.01


def plain_of(model):
    """The model without its updates."""
    copy = model.backbone.clone()
    for name, variable in weights_by_place(copy, "backbone").items():
        variable.assign(arrays(model)[name])
    head = ak.AlbertForSequenceClassification(copy, 3, dropout=0.0)
    head.classifier.set_weights(model.classifier.get_weights())
    return head


@pytest.mark.heavy
@pytest.mark.slow
def test_only_updates_and_heads_are_trained_with_every_kernel(adapted, rng):
    other = adapt(make_model(), rng)
    other.set_weights(adapted.get_weights())
    before = arrays(adapted)
    for model in (adapted, other):
        model.compile(
            Lamb(0.01), gradient_accumulation_steps=2, run_eagerly=True
        )
    adapted.fit(INPUTS, LABELS, epochs=2, verbose=0)
    with plain_kernels():
        other.fit(INPUTS, LABELS, epochs=2, verbose=0)
    after, reference = arrays(adapted), arrays(other)
    for name, array in after.items():
        changes = "lora" in name or name.startswith("classifier")
        assert np.array_equal(array, before[name]) != changes, name
        assert_close(array, reference[name], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(rank=0), "`rank` must be a positive integer. Received: 0"),
        (dict(rank=2, target_layer_names=["qkv"]), r"Received: \['qkv'\]"),
        (dict(rank=2, target_layer_names=[]), "must be names among"),
    ],
)
def test_lora_that_would_adapt_nothing_is_refused(arguments, message):
    model = make_model()
    with pytest.raises(ValueError, match=message):
        model.enable_lora(**arguments)
    assert len(model.trainable_weights) == len(model.weights)
    model.enable_lora(2)
    with pytest.raises(ValueError, match="has LoRA already"):
        model.backbone.enable_lora(2)


def test_lora_enabled_after_compile_is_told():
    model = make_model()
    model.compile("sgd", run_eagerly=True)
    model.train_on_batch(INPUTS, LABELS)
    model.backbone.enable_lora(2)
    with pytest.raises(
        ValueError, match="`compile` again, after `enable_lora`"
    ):
        model.train_on_batch(INPUTS, LABELS)


@pytest.mark.parametrize("format", FORMATS_HERE)
@pytest.mark.heavy
def test_each_format_stores_kernels_with_their_updates(
    format, adapted, tmp_path
):
    adapted.save_pretrained(tmp_path / "model", format=format)
    again = ak.AlbertForSequenceClassification.from_pretrained(
        tmp_path / "model", num_classes=3
    )
    assert not any("lora" in name for name in arrays(again))
    assert_close(logits(again), logits(adapted))


def test_a_layer_of_keras_with_lora_is_stored_with_its_update(rng, tmp_path):
    model = make_model(dtype="mixed_bfloat16")
    for layer in (model.backbone.pooler, model.classifier):
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(rng.normal(0, 1, layer.lora_kernel_b.shape))
    model.save_pretrained(tmp_path / "model")
    again = arrays(ak.load_model(tmp_path / "model"))
    for place in ("backbone/pooler", "classifier"):
        values = arrays(model)
        a, b = (values[f"{place}/lora_kernel_{x}"] for x in "ab")
        expected = values[f"{place}/kernel"] + a @ b
        assert_close(again[f"{place}/kernel"], expected, atol=1e-6)


# === int8 ===


@pytest.mark.slow
def test_int8_reaches_every_linear_layer_of_the_backbone():
    model = make_model()
    before = arrays(model)
    model.quantize("int8")
    after = arrays(model)
    assert {
        n for n, x in layers(model).items() if x.quantization_mode
    } == LINEAR
    for place in LINEAR:
        kernel, scale = (
            after[f"{place}/{n}"] for n in ("kernel", "kernel_scale")
        )
        original = before[f"{place}/kernel"]
        assert kernel.dtype == "int8"
        step = np.abs(original).max(axis=0) / 127
        assert_close(1 / scale, step, atol=1e-6)
        assert (np.abs(kernel / scale - original) <= step / 2 + 1e-6).all()


def test_attention_and_feed_forward_compute_with_the_scaled_kernels(quantized):
    encoder = quantized.backbone.encoder
    x = np.random.default_rng(0).normal(size=(2, 4, 8)).astype("float32")
    expected = plain_copy(quantized).backbone.encoder(x)
    assert_close(encoder(x), expected)
    assert_close(logits(quantized), logits(plain_copy(quantized)), atol=0.1)


@pytest.mark.heavy
def test_int8_kernels_are_not_trained():
    model = quantize(make_model())
    model.compile(Lamb(0.01), run_eagerly=True)
    before = arrays(model)
    model.fit(INPUTS, LABELS, verbose=0)
    after = arrays(model)
    for name, array in after.items():
        if array.dtype == "int8" or name.endswith("kernel_scale"):
            np.testing.assert_array_equal(array, before[name], name)
    assert np.abs(
        after["classifier/kernel"] - before["classifier/kernel"]
    ).any()


@pytest.mark.parametrize("format", FORMATS_HERE)
def test_other_formats_refuse_int8_before_anything_is_written(
    format, quantized, tmp_path
):
    if format == "keras":
        return
    with pytest.raises(ValueError, match="Only the format 'keras' stores quan"):
        quantized.save_pretrained(tmp_path / "model", format=format)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_pretrained_directory_keeps_int8(quantized, tmp_path, caplog):
    quantized.save_pretrained(tmp_path / "model")
    again = ak.load_model(tmp_path / "model")
    for name, array in arrays(quantized).items():
        np.testing.assert_array_equal(arrays(again)[name], array)
        assert arrays(again)[name].dtype == array.dtype
    np.testing.assert_array_equal(logits(again), logits(quantized))
    assert not caplog.records
    # The backbone of another model, of another type.
    tokens = ak.AlbertForTokenClassification.from_pretrained(
        tmp_path / "model", num_classes=2, dtype="mixed_bfloat16"
    )
    assert tokens.backbone.pooler.quantization_mode == "int8"


def test_modes_that_albert_lacks_are_refused():
    with pytest.raises(
        ValueError, match="'int8' only. Received: mode='float8'"
    ):
        make_model().quantize("float8")
    with pytest.raises(ValueError, match="must be a type of floats"):
        make_model(dtype="int8_from_float32")
    with pytest.raises(ValueError, match="has 3 variables to load, the file 2"):
        layer = ak.layers.TransformerBlock(2, 12)
        layer.build((None, None, 8))
        store = {}
        layer.intermediate.save_own_variables(store)
        layer.intermediate.quantize("int8")
        layer.intermediate.load_own_variables(store)


# === Both, and the ways of Keras ===


@pytest.mark.heavy
@pytest.mark.parametrize(
    "change", others_slow([quantize_and_adapt, adapt, quantize])
)
@pytest.mark.slow
def test_keras_files_and_copies_keep_the_model(change, rng, tmp_path):
    model = change(make_model(), rng)
    with keras.name_scope("elsewhere"):
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    # The sum of an int8 kernel and its update is rounded to int8 again.
    atol = 0.2 if change is quantize_and_adapt else 2e-5
    assert_close(logits(loaded), logits(model), atol)
    modes = [x.quantization_mode for x in layers(model).values()]
    assert modes == [x.quantization_mode for x in layers(loaded).values()]
    model.save_pretrained(tmp_path / "model")
    assert_close(
        logits(ak.load_model(tmp_path / "model")), logits(loaded), 0.02
    )
    clone = model.backbone.clone()
    assert_close(
        clone(INPUTS)["pooled_output"],
        loaded.backbone(INPUTS)["pooled_output"],
        0.02,
    )


@pytest.mark.heavy
@pytest.mark.slow
def test_a_run_with_lora_and_int8_resumes_exactly(rng, tmp_path):
    models = [quantize_and_adapt(make_model(), rng) for _ in range(2)]
    for model in models:
        model.compile(Lamb(0.01), run_eagerly=True)
    fit = dict(x=INPUTS, y=LABELS, verbose=0)
    models[0].fit(**fit)
    path = save_checkpoint(tmp_path, models[0], step=1)
    restore_checkpoint(path, models[1])
    for model in models:
        model.fit(**fit)
    for mine, theirs in zip(
        [*models[0].variables, *models[0].optimizer.variables],
        [*models[1].variables, *models[1].optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="is of another model"):
        plain = make_model()
        plain.compile(Lamb(0.01))
        restore_checkpoint(path, plain)


def test_custom_quantization_is_kept_by_keras_and_refused_elsewhere(tmp_path):
    config_class = getattr(keras.quantizers, "Int8QuantizationConfig", None)
    if config_class is None:
        pytest.skip("this Keras has one way of int8 quantization")
    model = make_model()
    model.quantize(config=config_class(activation_quantizer=None))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(logits(loaded), logits(model))
    assert loaded.backbone.pooler.inputs_quantizer is None
    with pytest.raises(ValueError, match="Save the model with `model.save"):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()
