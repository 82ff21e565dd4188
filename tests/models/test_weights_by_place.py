"""Weights are named by their place in the model, wherever it is built."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import albert_keras as ak
from albert_keras.conversion.keras_format import CONFIG_FILE, WEIGHTS_FILE
from albert_keras.conversion.weight_places import weights_by_place
from albert_keras.models.task import AlbertTask
from tests.formats import FORMATS_HERE
from tests.marks import others_slow

pytestmark = pytest.mark.heavy

IDS = np.array([[2, 7, 9, 3], [2, 8, 3, 0]], "int32")
WRITTEN = Path(__file__).parents[1] / "references" / "written_by_0_1_0"


class Pooled(keras.layers.Layer):
    """A layer that loads a pretrained backbone when it is built."""

    def __init__(self, source, **kwargs):
        super().__init__(**kwargs)
        self.source = source

    def build(self, input_shape):
        self.backbone = ak.AlbertBackbone.from_pretrained(self.source)

    def call(self, token_ids):
        return self.backbone({"token_ids": token_ids})["pooled_output"]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 8)


class Outer(keras.Model):
    """A model whose layer is built while Keras traces it."""

    def __init__(self, source):
        super().__init__()
        self.pooled = Pooled(source)

    def call(self, token_ids):
        return self.pooled(token_ids)


def in_a_name_scope(source):
    with keras.name_scope("layer_norm"), keras.name_scope("bias"):
        return ak.AlbertBackbone.from_pretrained(source)


def in_a_layers_build(source):
    layer = Pooled(source, name="encoder")
    layer(IDS)
    return layer.backbone


def in_a_traced_model(source):
    outer = Outer(source)
    outer(keras.Input((None,), dtype="int32"))
    return outer.pooled.backbone


def in_a_fit(source):
    outer = Outer(source)
    outer.compile(keras.optimizers.SGD(0.0), loss="mse", run_eagerly=True)
    outer.fit(IDS, np.zeros((2, 8)), verbose=0)
    return outer.pooled.backbone


def with_a_name(source):
    return ak.AlbertBackbone.from_pretrained(source, name="backbone")


def a_second_time(source):
    ak.AlbertBackbone.from_pretrained(source)
    return ak.AlbertBackbone.from_pretrained(source)


def inside_a_functional_model(source):
    inputs = keras.Input((None,), dtype="int32", name="token_ids")
    backbone = ak.AlbertBackbone.from_pretrained(source)
    outputs = backbone({"token_ids": inputs})["pooled_output"]
    keras.Model(inputs, keras.layers.Dense(2, name="pooler")(outputs))
    return backbone


PLACES = [
    in_a_name_scope,
    in_a_layers_build,
    in_a_traced_model,
    pytest.param(in_a_fit, marks=pytest.mark.heavy),
    with_a_name,
    a_second_time,
    inside_a_functional_model,
]


@pytest.fixture
def backbone(tiny_config):
    return ak.AlbertBackbone.from_config(tiny_config)


def pooled(backbone):
    return np.asarray(backbone({"token_ids": IDS})["pooled_output"])


@pytest.mark.parametrize("load", others_slow(PLACES))
def test_a_backbone_has_its_weights_wherever_it_is_loaded(
    load, backbone, tmp_path, caplog
):
    backbone.save_pretrained(tmp_path / "source")
    loaded = load(tmp_path / "source")
    np.testing.assert_array_equal(pooled(loaded), pooled(backbone))
    loaded.save_pretrained(tmp_path / "again")
    again = ak.load_model(tmp_path / "again")
    np.testing.assert_array_equal(pooled(again), pooled(backbone))
    assert not caplog.records


def test_a_function_in_which_weights_would_get_lost_is_refused(
    backbone, tmp_path
):
    tf = pytest.importorskip("tensorflow")
    backbone.save_pretrained(tmp_path)
    layer = Pooled(tmp_path)
    with pytest.raises(ValueError, match="cannot be loaded while a `tf.func"):
        tf.function(lambda ids: layer(ids))(IDS)


@pytest.mark.heavy
@pytest.mark.parametrize("format", others_slow(FORMATS_HERE))
def test_each_format_is_read_and_written_inside_a_layer(
    format, backbone, tmp_path
):
    backbone.save_pretrained(tmp_path / "source", format=format)
    loaded = in_a_traced_model(tmp_path / "source")
    with keras.name_scope("layer_norm"):
        loaded.save_pretrained(tmp_path / "again", format=format)
    again = ak.load_model(tmp_path / "again")
    for name, array in backbone.to_parts().weights.items():
        np.testing.assert_array_equal(again.to_parts().weights[name], array)


def test_the_names_are_those_of_earlier_versions():
    stored = load_file(WRITTEN / "pretrained" / WEIGHTS_FILE)
    model = ak.load_model(WRITTEN / "pretrained")
    assert set(weights_by_place(model, "backbone")) == set(stored)


# === Custom models ===


class TwoHeads(AlbertTask):
    """A task whose layers have default names, if `names` gives no others."""

    names, width = (None, None), 8

    def add_heads(self, config):
        self.first = keras.layers.Dense(3, name=self.names[0])
        self.second = keras.layers.Dense(3, name=self.names[1])
        self.first.build((None, self.width))
        self.second.build((None, config.hidden_dim))

    def call(self, inputs, training=False):
        x = self.backbone(inputs, training=training)["pooled_output"]
        return {"logits": self.first(x) + self.second(x)}


def test_default_names_do_not_depend_on_the_layers_made_before(
    backbone, tmp_path
):
    keras.layers.Dense(1), keras.layers.Dense(1)
    model = TwoHeads(backbone)
    assert model.second.name != "dense_1"
    model.save_pretrained(tmp_path / "model")
    heads = [n for n in load_file(tmp_path / "model" / WEIGHTS_FILE)]
    heads = {name for name in heads if not name.startswith("backbone/")}
    layers = ("dense", "dense_1")
    assert heads == {f"{n}/{w}" for n in layers for w in ("kernel", "bias")}
    again = TwoHeads.from_pretrained(tmp_path / "model")
    for head in ("first", "second"):
        np.testing.assert_array_equal(
            getattr(again, head).kernel, getattr(model, head).kernel
        )


@pytest.mark.parametrize(
    ("names", "width", "message"),
    [
        (("head", "head"), 8, "have the name 'head/kernel'"),
        (("classifier", "head"), 5, r"the shape \(5, 3\).*\(8, None\)"),
    ],
)
def test_a_file_that_could_not_be_read_is_not_written(
    names, width, message, backbone, tmp_path, monkeypatch
):
    monkeypatch.setattr(TwoHeads, "names", names)
    monkeypatch.setattr(TwoHeads, "width", width)
    model = TwoHeads(backbone)
    with pytest.raises(ValueError, match=message):
        model.save_pretrained(tmp_path / "model")
    assert not list(tmp_path.iterdir())


# === Loading less than everything ===


def change_weights(directory, change):
    path = directory / WEIGHTS_FILE
    arrays = load_file(path)
    change(arrays)
    save_file(arrays, path)


@pytest.mark.parametrize(
    "name", ["backbone/pooler/bias", "mlm_head/output_bias", "sop_head/"]
)
def test_weights_that_the_source_should_have_are_named(
    name, pretraining_model, tmp_path, caplog
):
    pretraining_model.save_pretrained(tmp_path)

    def remove(arrays):
        for key in [key for key in arrays if key.startswith(name)]:
            del arrays[key]

    change_weights(tmp_path, remove)
    for load in (ak.load_model, ak.AlbertForPretraining.from_pretrained):
        with pytest.raises(ValueError, match=f"lacks . weights.*{name}"):
            load(tmp_path)
    assert not caplog.records
    loaded = ak.load_model(tmp_path, strict=False)
    assert isinstance(loaded, ak.AlbertForPretraining)
    assert f"no weights for {name}" in caplog.text


def test_a_head_that_the_source_lacks_by_nature_is_new(
    pretraining_model, tmp_path, caplog
):
    pretraining_model.save_pretrained(tmp_path)
    ak.AlbertForSequenceClassification.from_pretrained(tmp_path)
    assert "no weights for classifier/kernel, classifier/bias" in caplog.text
    change_weights(tmp_path, lambda arrays: arrays.pop("sop_head/kernel"))
    change_weights(tmp_path, lambda arrays: arrays.pop("sop_head/bias"))
    description = json.loads((tmp_path / CONFIG_FILE).read_text())
    description["class"] = "AlbertForMaskedLM"
    (tmp_path / CONFIG_FILE).write_text(json.dumps(description))
    ak.AlbertForPretraining.from_pretrained(tmp_path)
    assert "no weights for sop_head/kernel" in caplog.text


def test_a_masked_lm_of_hugging_face_has_no_pooler(
    pretraining_model, tmp_path, caplog
):
    masked = ak.AlbertForMaskedLM(pretraining_model.backbone)
    masked.save_pretrained(tmp_path, format="huggingface")
    caplog.clear()
    ak.load_model(tmp_path)
    assert "no weights for backbone/pooler/kernel" in caplog.text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(num_groups=2), "lacks 16 weights.*group_1_block_0"),
        (dict(pre_layer_norm=True), "lacks 2 weights.*final_layer_norm"),
    ],
)
def test_replaced_fields_that_need_other_weights_are_refused(
    fields, message, backbone, tmp_path
):
    backbone.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        ak.AlbertBackbone.from_pretrained(tmp_path, **fields)
    ak.AlbertBackbone.from_pretrained(tmp_path, strict=False, **fields)


def test_weights_of_the_backbone_that_would_get_lost_are_named(
    tiny_config, tmp_path
):
    fields = {**tiny_config.to_dict(), "num_inner_repetitions": 2}
    ak.AlbertBackbone(**fields).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has 16 weights.*group_0_block_1"):
        ak.AlbertBackbone.from_pretrained(tmp_path, num_inner_repetitions=1)
