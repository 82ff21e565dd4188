"""Bad directories and models: a clear error; nothing is built or written."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import albert_keras as ak
from albert_keras.conversion import FORMATS, huggingface
from tests.conversion.test_round_trips import CONFIG
from tests.formats import FORMATS_HERE

pytestmark = pytest.mark.heavy

WEIGHTS = {
    "keras": "weights.safetensors",
    "huggingface": "model.safetensors",
    "keras_hub": "model.weights.h5",
    "google": "model.ckpt-best.data-00000-of-00001",
}
CONFIGS = {
    "keras": "albert_keras.json",
    "huggingface": "config.json",
    "keras_hub": "config.json",
    "google": "albert_config.json",
}
# Section of the configuration; names of the hidden width and of the groups.
HIDDEN = {
    "keras": ("config", "hidden_dim", "num_groups"),
    "huggingface": (None, "hidden_size", "num_hidden_groups"),
    "keras_hub": ("config", "hidden_dim", "num_groups"),
    "google": (None, "hidden_size", "num_hidden_groups"),
}


@pytest.fixture(scope="module", params=FORMATS_HERE)
def saved_once(request, tmp_path_factory):
    """The name of a format, and a model saved in it; not to be changed."""
    directory = tmp_path_factory.mktemp(request.param) / "model"
    model = ak.AlbertBackbone.from_config(CONFIG)
    model.save_pretrained(directory, format=request.param)
    return request.param, directory


@pytest.fixture
def saved(saved_once, tmp_path):
    """The name of a format, and a model saved in it."""
    format, directory = saved_once
    return format, shutil.copytree(directory, tmp_path / "model")


def change_config(format, directory, key, value):
    path = directory / CONFIGS[format]
    values = json.loads(path.read_text())
    section = HIDDEN[format][0]
    (values[section] if section else values)[key] = value
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("format", "message"),
    [
        ("huggingface", r"query.weight has the type int8. Expected floats"),
        ("keras", r"query/kernel is int8, but .*query/kernel_scale is missing"),
    ],
)
def test_quantized_weights_without_their_scales_are_refused(
    format, message, tmp_path
):
    model = ak.AlbertBackbone.from_config(CONFIG)
    model.save_pretrained(tmp_path, format=format)
    arrays = load_file(tmp_path / WEIGHTS[format])
    name = next(
        name for name in arrays if re.search("query.(weight|ker)", name)
    )
    arrays[name] = arrays[name].astype("int8")
    save_file(arrays, tmp_path / WEIGHTS[format])
    with pytest.raises(ValueError, match=message):
        ak.load_model(tmp_path)


@pytest.mark.parametrize("half", [0, 0.5, 0.9])
def test_a_truncated_weight_file_is_refused_by_name(saved, half):
    format, directory = saved
    path = directory / WEIGHTS[format]
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * half)])
    with pytest.raises(ValueError, match="damaged|does not fit") as error:
        ak.AlbertBackbone.from_pretrained(directory)
    assert str(directory) in str(error.value)


def test_a_corrupt_weight_file_is_refused(saved):
    format, directory = saved
    path = directory / WEIGHTS[format]
    path.write_bytes(b"\x93 not what it was " * 500)
    with pytest.raises(ValueError, match="damaged"):
        ak.AlbertBackbone.from_pretrained(directory)


def test_a_missing_weight_file_is_named(saved):
    format, directory = saved
    (directory / WEIGHTS[format]).unlink()
    with pytest.raises(ValueError, match="missing") as error:
        ak.AlbertBackbone.from_pretrained(directory)
    assert WEIGHTS[format].split(".data")[0] in str(error.value)


def test_a_configuration_that_contradicts_the_weights_names_both_shapes(saved):
    format, directory = saved
    change_config(format, directory, HIDDEN[format][1], 10)
    with pytest.raises(ValueError) as error:
        ak.AlbertBackbone.from_pretrained(directory)
    shapes = ("(6, 8)", "(6, 10)")
    if format == "huggingface":
        shapes = ("(8, 6)", "(10, 6)")
    assert all(shape in str(error.value) for shape in shapes)


@pytest.mark.parametrize("groups", [1, 4])
def test_a_configuration_of_other_groups_than_the_weights_is_refused(
    saved, groups
):
    format, directory = saved
    change_config(format, directory, HIDDEN[format][2], groups)
    with pytest.raises(ValueError, match="groups|does not fit"):
        ak.AlbertBackbone.from_pretrained(directory)


def test_a_damaged_configuration_is_named(saved):
    format, directory = saved
    (directory / CONFIGS[format]).write_text("{")
    with pytest.raises(ValueError, match=f"{CONFIGS[format]} is damaged"):
        ak.AlbertBackbone.from_pretrained(directory)


@pytest.mark.parametrize(
    "encoding, message",
    [
        ("utf-16", "is UTF-16 text. Expected UTF-8. Convert it first: iconv"),
        ("latin1", "is not UTF-8 text: .* Convert it first: iconv"),
    ],
)
def test_a_configuration_in_another_encoding_is_named(
    tmp_path, encoding, message
):
    text = '{"model_type": "albert", "_name_or_path": "größe"}'
    (tmp_path / "config.json").write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match=f"config.json {message}"):
        ak.AlbertBackbone.from_pretrained(tmp_path)


@pytest.mark.parametrize("format", FORMATS_HERE)
def test_a_vocabulary_of_another_size_is_refused_on_saving(
    format, store, tmp_path
):
    model = ak.AlbertBackbone.from_config(CONFIG)
    with pytest.raises(ValueError, match="150 pieces, the token embedding 40"):
        model.save_pretrained(
            tmp_path / "model", format=format, tokenizer=store.tokenizer
        )
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_of_another_size_is_refused_on_loading(
    saved, store, tmp_path
):
    format, directory = saved
    config = dataclasses.replace(CONFIG, vocabulary_size=150)
    model = ak.AlbertBackbone.from_config(config)
    model.save_pretrained(
        tmp_path / "other", format=format, tokenizer=store.tokenizer
    )
    shutil.rmtree(tmp_path / "other" / "assets", ignore_errors=True)
    vocabularies = [*Path(tmp_path / "other").glob("*.model")]
    for path in vocabularies:
        shutil.copy(path, directory)
    if format == "keras_hub":
        path = directory / "assets" / "tokenizer" / "vocabulary.spm"
        path.parent.mkdir(parents=True)
        path.write_bytes(store.tokenizer.model_proto)
    with pytest.raises(ValueError, match="150 pieces, the token embedding 40"):
        ak.AlbertBackbone.from_pretrained(directory)


def test_a_file_that_is_no_vocabulary_is_refused(saved):
    format, directory = saved
    names = {"keras": "vocabulary.model", "huggingface": "spiece.model"}
    path = directory / names.get(format, "30k-clean.model")
    if format == "keras_hub":
        path = directory / "assets" / "tokenizer" / "vocabulary.spm"
        path.parent.mkdir(parents=True)
    path.write_bytes(b"no vocabulary")
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        ak.AlbertBackbone.from_pretrained(directory)


def test_other_architectures_are_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="`model_type` is 'bert'"):
        ak.AlbertBackbone.from_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "bert_config.json").write_text("{}")
    with pytest.raises(ValueError, match="another architecture"):
        ak.AlbertBackbone.from_pretrained(tmp_path)


def test_a_directory_of_no_known_kind_lists_what_is_known(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    for load in (
        ak.AlbertBackbone.from_pretrained,
        ak.AlbertTokenizer.from_pretrained,
        ak.load_model,
    ):
        with pytest.raises(ValueError, match="It holds: notes.txt.*Hugging"):
            load(tmp_path)


@pytest.mark.parametrize(
    "name, remedy",
    [
        ("pytorch_model.bin", r"model'\)"),
        ("tf_model.h5", r"transformers<5'.*model', from_tf=True\)"),
        ("flax_model.msgpack", r"transformers<5'.*model', from_flax=True\)"),
    ],
)
def test_files_that_may_run_code_are_refused_with_the_way_out(
    name, remedy, tmp_path
):
    model = ak.AlbertBackbone.from_config(CONFIG)
    model.save_pretrained(tmp_path / "model", format="huggingface")
    (tmp_path / "model" / huggingface.WEIGHTS_FILE).rename(
        tmp_path / "model" / name
    )
    message = f"in {name},.*{remedy}.save_pretrained"
    with pytest.raises(ValueError, match=message):
        ak.AlbertBackbone.from_pretrained(tmp_path / "model")


def test_an_activation_that_nobody_knows_is_refused(tmp_path):
    model = ak.AlbertBackbone.from_config(CONFIG)
    for format, key in (("huggingface", "config"), ("google", "albert_config")):
        directory = tmp_path / format
        model.save_pretrained(directory, format=format)
        change_config(format, directory, "hidden_act", "swish")
        with pytest.raises(ValueError, match=f"{key}.json.*'swish'"):
            ak.AlbertBackbone.from_pretrained(directory)


@pytest.mark.parametrize("format", ["huggingface", "keras_hub", "google"])
def test_before_normalization_is_kept_by_our_own_format_alone(format, tmp_path):
    config = dataclasses.replace(CONFIG, pre_layer_norm=True)
    model = ak.AlbertBackbone.from_config(config)
    with pytest.raises(ValueError, match="pre_layer_norm"):
        model.save_pretrained(tmp_path / "model", format=format)
    assert list(tmp_path.iterdir()) == []
    model.save_pretrained(tmp_path / "model")
    again = ak.AlbertBackbone.from_pretrained(tmp_path / "model")
    np.testing.assert_array_equal(
        again.encoder.final_layer_norm.gamma,
        model.encoder.final_layer_norm.gamma,
    )


@pytest.mark.parametrize("format", FORMATS_HERE)
def test_a_save_that_fails_leaves_the_earlier_one_whole(
    format, tmp_path, monkeypatch
):
    model = ak.AlbertBackbone.from_config(CONFIG)
    model.save_pretrained(tmp_path / "model")
    before = {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()}
    write = FORMATS[format].write

    def fail(directory, parts):
        write(directory, parts)
        raise OSError("No space left on device")

    monkeypatch.setattr(FORMATS[format], "write", fail)
    with pytest.raises(OSError, match="No space left"):
        model.save_pretrained(tmp_path / "model", format=format)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    after = {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()}
    assert after == before


def test_a_directory_with_other_files_beside_a_model_is_not_replaced(saved):
    _, directory = saved
    (directory / "thesis.tex").write_text("work of years")
    model = ak.AlbertBackbone.from_config(CONFIG)
    with pytest.raises(ValueError, match="thesis.tex"):
        model.save_pretrained(directory)
    assert (directory / "thesis.tex").is_file()
