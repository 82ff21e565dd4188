"""The tokenizer is saved and loaded with the model, and made when used."""

import pickle

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.models.texts import preprocessor
from tests.models.texts.conftest import TEXTS

pytestmark = pytest.mark.heavy


@pytest.fixture
def model(make):
    return make(
        ak.AlbertForSequenceClassification, 2, class_names=("no", "yes")
    )


@pytest.mark.parametrize("format", ["keras", "huggingface"])
def test_a_directory_has_the_tokenizer_of_the_model(model, tmp_path, format):
    model.save_pretrained(tmp_path / "one", format)
    again = ak.load_model(tmp_path / "one")
    assert again.classify(TEXTS) == model.classify(TEXTS)
    again.save_pretrained(tmp_path / "two")
    third = ak.load_model(tmp_path / "two")
    assert third.classify(TEXTS) == model.classify(TEXTS)
    assert (
        third.preprocessor.tokenizer.settings()
        == again.preprocessor.tokenizer.settings()
    )


def test_loading_makes_no_tokenizer(model, tmp_path, monkeypatch):
    model.save_pretrained(tmp_path / "model")
    made = []

    def make(*args, **kwargs):
        made.append(1)
        return ak.AlbertTokenizer(*args, **kwargs)

    monkeypatch.setattr(preprocessor, "AlbertTokenizer", make)
    again = ak.load_model(tmp_path / "model")
    again.predict({"token_ids": np.array([[2, 7, 3]])}, verbose=0)
    assert not made


def test_keras_files_and_pickles_hold_the_tokenizer(model, tmp_path):
    model.save(tmp_path / "model.keras")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        pickle.loads(pickle.dumps(model)),
    ):
        assert again.classify(TEXTS) == model.classify(TEXTS)


def test_a_model_without_a_tokenizer_is_saved_without(make, tmp_path):
    model = make(ak.AlbertForSequenceClassification, with_tokenizer=False)
    model.save(tmp_path / "model.keras")
    model.save_pretrained(tmp_path / "model")
    assert keras.saving.load_model(tmp_path / "model.keras").preprocessor is (
        None
    )
    assert ak.load_model(tmp_path / "model").preprocessor is None
    assert not (tmp_path / "model" / "vocabulary.model").exists()


def test_a_copy_of_a_backbone_keeps_the_tokenizer(make, tokenizer):
    backbone = make(ak.AlbertForMultipleChoice, fresh=True).backbone
    backbone.preprocessor = tokenizer
    copy = backbone.clone(hidden_dropout=0.1)
    assert copy.preprocessor.tokenizer is tokenizer
