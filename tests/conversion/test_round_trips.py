"""Writing a model in a format and reading it back is bit-identical."""

import dataclasses
import json

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.conversion import (
    FORMATS,
    format_of,
    read_pretrained,
    write_pretrained,
)
from albert_keras.conversion.weight_names import weights_of
from tests.formats import FORMATS_HERE, HAS_KERAS_HUB
from tests.marks import others_slow

pytestmark = pytest.mark.heavy

CONFIG = ak.AlbertConfig(
    vocabulary_size=40,
    num_layers=4,
    num_heads=2,
    embedding_dim=6,
    hidden_dim=8,
    intermediate_dim=12,
    num_groups=2,
    num_inner_repetitions=2,
    max_sequence_length=16,
)
HEADS = {
    "AlbertBackbone": (),
    "AlbertForMaskedLM": ("mlm_head",),
    "AlbertForPretraining": ("mlm_head", "sop_head"),
    "AlbertForQuestionAnswering": ("span_head",),
    "AlbertForSequenceClassification": ("classifier",),
}


@pytest.fixture
def model(request, rng):
    """A model of a class, with random weights."""
    backbone = ak.AlbertBackbone.from_config(CONFIG)
    model_class = getattr(ak, request.param)
    model = backbone
    if model_class is not ak.AlbertBackbone:
        model = model_class(backbone)
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(rng.normal(0, 1, variable.shape))
    return model


def assert_identical(mine, theirs, names):
    for name in names:
        np.testing.assert_array_equal(mine[name], theirs[name], name)
        assert mine[name].dtype == theirs[name].dtype == np.float32


@pytest.mark.parametrize("format", others_slow(FORMATS_HERE))
def test_float64_is_kept_or_named_as_rounded(format, rng, tmp_path, caplog):
    model = ak.AlbertBackbone.from_albert_config(CONFIG, dtype="float64")
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(rng.normal(0, 1, variable.shape))
    model.save_pretrained(tmp_path / "model", format=format)
    loaded = ak.AlbertBackbone.from_pretrained(
        tmp_path / "model", dtype="float64"
    )
    is_rounded = "stores float32, to which float64 weights" in caplog.text
    assert is_rounded == (format in ("google", "keras_hub"))
    again, whole = (m.to_parts().weights for m in (loaded, model))
    for name, array in whole.items():
        expected = np.float64(np.float32(array)) if is_rounded else array
        assert again[name].dtype == np.float64
        np.testing.assert_array_equal(again[name], expected, name)
    if format == "huggingface":
        config = json.loads((tmp_path / "model" / "config.json").read_text())
        assert config["torch_dtype"] == "float64"


@pytest.mark.parametrize("format", FORMATS_HERE)
@pytest.mark.parametrize("model", others_slow(HEADS), indirect=True)
def test_each_format_gives_back_every_weight_it_has_a_place_for(
    model, format, tmp_path
):
    parts = model.to_parts()
    model.save_pretrained(tmp_path / "model", format=format)
    assert format_of(tmp_path / "model") == format
    again = read_pretrained(tmp_path / "model")
    assert_identical(again.weights, parts.weights, again.weights)
    assert again.left_over == ()
    expected = set(parts.weights)
    if format == "keras_hub":
        expected -= {n for n in expected if n.startswith(("sop", "span"))}
    if format == "huggingface" and not parts.model_class.endswith(
        ("Backbone", "Pretraining", "Classification")
    ):
        expected -= {n for n in expected if n.startswith("backbone/pooler")}
    assert set(again.weights) == expected


@pytest.mark.parametrize("model", ["AlbertBackbone"], indirect=True)
def test_a_chain_through_all_formats_and_back_is_bit_identical(model, tmp_path):
    formats = [f for f in FORMATS if f != "keras_hub" or HAS_KERAS_HUB]
    parts = original = model.to_parts()
    for index, format in enumerate([*formats, *reversed(formats)]):
        write_pretrained(tmp_path / str(index), parts, format)
        parts = read_pretrained(tmp_path / str(index))
    assert set(parts.weights) == set(original.weights)
    assert_identical(parts.weights, original.weights, original.weights)
    assert parts.config == original.config
    last = ak.AlbertBackbone.from_pretrained(tmp_path / str(index))
    inputs = {"token_ids": np.arange(12, dtype="int32").reshape(2, 6)}
    np.testing.assert_array_equal(
        last(inputs)["pooled_output"], model(inputs)["pooled_output"]
    )


@pytest.mark.parametrize("model", ["AlbertForPretraining"], indirect=True)
def test_both_pretraining_heads_go_through_the_formats_that_have_them(
    model, tmp_path
):
    parts = original = model.to_parts()
    for format in ("google", "huggingface", "keras", "google", "keras"):
        write_pretrained(tmp_path / format, parts, format)
        parts = read_pretrained(tmp_path / format)
    assert parts.model_class == "AlbertForPretraining"
    assert set(parts.weights) == set(original.weights)
    assert_identical(parts.weights, original.weights, original.weights)


def test_the_table_has_every_weight_of_every_model_with_its_shape():
    for pre_layer_norm in (False, True):
        config = dataclasses.replace(CONFIG, pre_layer_norm=pre_layer_norm)
        backbone = ak.AlbertBackbone.from_config(config)
        shapes = {w.name: w.shape for w in weights_of(config)}
        for name in HEADS:
            model_class = getattr(ak, name)
            model = backbone
            if model_class is not ak.AlbertBackbone:
                model = model_class(backbone)
            for weight, array in model.to_parts().weights.items():
                expected = tuple(
                    2 if size is None else size for size in shapes[weight]
                )
                assert array.shape == expected, weight


def test_no_two_weights_share_a_name_in_any_format():
    for format in FORMATS:
        names = [
            weight.stored(format).name
            for weight in weights_of(CONFIG)
            if weight.stored(format)
        ]
        assert len(names) == len(set(names)), format


@pytest.mark.parametrize("format", FORMATS_HERE)
def test_vocabulary_and_way_of_tokenizing_go_along(store, format, tmp_path):
    tokenizer = store.tokenizer
    model = ak.AlbertBackbone.from_config(
        dataclasses.replace(CONFIG, vocabulary_size=tokenizer.vocabulary_size)
    )
    model.save_pretrained(tmp_path / "m", format=format, tokenizer=tokenizer)
    again = ak.AlbertTokenizer.from_pretrained(tmp_path / "m")
    assert again.model_proto == tokenizer.model_proto
    text = ["Bade rigo, nusta. 2,009"]
    assert again.encode(text) == tokenizer.encode(text)
    expected = "huggingface" if format == "huggingface" else "google"
    assert again.style == expected


@pytest.mark.parametrize("model", ["AlbertForPretraining"], indirect=True)
def test_class_arguments_and_card_are_kept_in_our_own_format(model, tmp_path):
    classifier = ak.AlbertForTokenClassification(
        model.backbone, num_classes=5, dropout=0.3
    )
    classifier.card.update(license="mit", scores={"F1": 0.9})
    classifier.save_pretrained(tmp_path / "tokens")
    again = ak.load_model(tmp_path / "tokens")
    assert isinstance(again, ak.AlbertForTokenClassification)
    assert (again.num_classes, again.dropout) == (5, 0.3)
    assert again.card == {"license": "mit", "scores": {"F1": 0.9}}
    assert json.loads((tmp_path / "tokens/albert_keras.json").read_text())[
        "arguments"
    ] == {"num_classes": 5, "dropout": 0.3, "class_names": None}


@pytest.mark.parametrize("model", ["AlbertForPretraining"], indirect=True)
@pytest.mark.parametrize("format", others_slow(FORMATS_HERE))
def test_class_names_are_kept_or_named_as_lost(model, format, tmp_path, caplog):
    names = ("contradiction", "entailment", "neutral")
    classifier = ak.AlbertForSequenceClassification(
        model.backbone, num_classes=3, class_names=names
    )
    classifier.save_pretrained(tmp_path / "m", format=format)
    again = ak.load_model(tmp_path / "m")
    assert isinstance(again, ak.AlbertForSequenceClassification)
    if format in ("keras", "huggingface"):
        assert again.class_names == names
        assert not caplog.records
    else:
        assert again.class_names is None
        assert "cannot store class_names" in caplog.text
    # A different number of classes means different classes.
    caplog.clear()
    other = ak.AlbertForSequenceClassification.from_pretrained(
        tmp_path / "m", num_classes=2
    )
    assert other.class_names is None


@pytest.mark.parametrize("model", ["AlbertForPretraining"], indirect=True)
@pytest.mark.parametrize("format", others_slow(FORMATS_HERE))
def test_several_labels_are_kept_or_named_as_lost(
    model, format, tmp_path, caplog
):
    arguments = {"problem": "multi_label", "thresholds": (0.5, 0.25, 0.9)}
    classifier = ak.AlbertForSequenceClassification(
        model.backbone, num_classes=3, **arguments
    )
    classifier.save_pretrained(tmp_path / "m", format=format)
    again = ak.load_model(tmp_path / "m")
    found = {name: getattr(again, name) for name in arguments}
    if format in ("keras", "huggingface"):
        assert found == arguments
        assert not caplog.records
    else:
        assert found == {"problem": "single_label", "thresholds": None}
        assert "cannot store thresholds, problem" in caplog.text


@pytest.mark.parametrize("model", ["AlbertForPretraining"], indirect=True)
def test_hugging_face_names_the_same_problem(model, tmp_path):
    for problem, num_classes, theirs in (
        ("single_label", 3, "single_label_classification"),
        ("multi_label", 3, "multi_label_classification"),
        ("regression", 1, "regression"),
    ):
        classifier = ak.AlbertForSequenceClassification(
            model.backbone, num_classes=num_classes, problem=problem
        )
        folder = tmp_path / problem
        classifier.save_pretrained(folder, format="huggingface")
        config = json.loads((folder / "config.json").read_text())
        assert config["problem_type"] == theirs
        assert ak.load_model(folder).problem == problem
        # Files without the field: as the number of classes says.
        del config["problem_type"]
        (folder / "config.json").write_text(json.dumps(config))
        default = "regression" if num_classes == 1 else "single_label"
        assert ak.load_model(folder).problem == default


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "a")])
def test_names_that_are_not_those_of_the_classes_are_refused(names):
    with pytest.raises(ValueError, match="must be 3 different names"):
        ak.AlbertForTokenClassification(
            ak.AlbertBackbone.from_config(CONFIG),
            num_classes=3,
            class_names=names,
        )
