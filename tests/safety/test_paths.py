"""Paths read from a file stay within the file's directory."""

import json
import shutil

import pytest

import albert_keras as ak
from albert_keras.conversion import read_pretrained
from albert_keras.data import TokenStore
from albert_keras.data.tasks.encoded_texts import encode_texts
from albert_keras.files.safe_path import inside_directory

OUTSIDE = ("../secret", "/etc/passwd", "a/../../secret", "..", "", "a\0b")


@pytest.mark.parametrize("name", [*OUTSIDE, ".", 7, None, "C:\\secret"])
def test_what_leads_out_of_a_directory_is_refused_by_name(tmp_path, name):
    with pytest.raises(ValueError, match="index.json names"):
        inside_directory(tmp_path, name, source=tmp_path / "index.json")


def test_what_is_inside_is_not(tmp_path):
    for name in ("a.bin", "a/b.bin", "..a", "a..b/..c"):
        path = inside_directory(tmp_path, name, source="index.json")
        assert path == tmp_path / name


@pytest.mark.parametrize("name", OUTSIDE)
def test_shards_of_a_model_are_beside_their_index(tmp_path, name):
    config = ak.AlbertConfig.tiny(vocabulary_size=10, num_layers=1)
    model = ak.AlbertBackbone.from_albert_config(config)
    model.save_pretrained(tmp_path / "model", format="huggingface")
    weights = tmp_path / "model" / "model.safetensors"
    shutil.move(weights, tmp_path / "secret")
    index = tmp_path / "model" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(ValueError, match="index.json names"):
        read_pretrained(tmp_path / "model")


@pytest.mark.parametrize("name", ["../tokens.bin", "/etc/passwd"])
def test_a_token_store_has_its_own_files_and_no_others(corpus, tmp_path, name):
    shutil.copytree(corpus, tmp_path / "corpus")
    path = tmp_path / "corpus" / "store.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = manifest["files"].pop("tokens.bin")
    path.write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=f"store.json.*files are.*{name}"):
        TokenStore(tmp_path / "corpus")


def test_names_on_a_hub_stay_in_the_folder_they_are_fetched_to(
    recipe, tmp_path
):
    download = recipe("download_corpora")
    file = download.HubFile("20231101.en/../../mine.parquet", 1, None)
    (tmp_path / "mine.parquet").write_text("work of years")
    folder = tmp_path / "corpora" / "wikipedia"
    (corpus,) = (
        download.Settings(str(folder), ("wikipedia",)).sources().values()
    )
    with pytest.raises(ValueError, match="mine.parquet.*leads out"):
        download.fetch_corpus(corpus, [file], folder)
    assert (tmp_path / "mine.parquet").read_text() == "work of years"


def test_what_a_text_says_is_no_path(tmp_path, store):
    source = tmp_path / "texts.json"
    source.write_text("")
    encode_texts(store.tokenizer, ["../../outside"], source=source)
    names = {path.name.split(".pieces-")[0] for path in tmp_path.iterdir()}
    assert names == {"texts.json"}
