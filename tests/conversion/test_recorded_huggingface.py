"""Recorded files and outputs of Hugging Face's library against ours."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import albert_keras as ak
from tests.marks import others_slow
from tests.parity.cases import CASES, make_inputs
from tests.parity.compare import assert_close, our_outputs

pytestmark = pytest.mark.heavy

RECORDED = Path(__file__).parents[1] / "references" / "huggingface"


@pytest.mark.parametrize("name", others_slow(CASES))
def test_outputs_equal_those_of_hugging_face(name):
    model = getattr(ak, CASES[name][1]).from_pretrained(RECORDED / name)
    inputs = make_inputs(name)
    expected = safetensors.numpy.load_file(
        RECORDED / name / "outputs.safetensors"
    )
    assert_close(our_outputs(model, inputs), expected, inputs)


@pytest.mark.parametrize("name", CASES)
def test_writing_gives_the_arrays_that_hugging_face_wrote(name, tmp_path):
    model = getattr(ak, CASES[name][1]).from_pretrained(RECORDED / name)
    model.save_pretrained(tmp_path / "ours", format="huggingface")
    mine, theirs = (
        safetensors.numpy.load_file(directory / "model.safetensors")
        for directory in (tmp_path / "ours", RECORDED / name)
    )
    assert set(mine) == set(theirs)
    for key in theirs:
        np.testing.assert_array_equal(mine[key], theirs[key], key)
    written, recorded = (
        json.loads((directory / "config.json").read_text())
        for directory in (tmp_path / "ours", RECORDED / name)
    )
    for key in CASES[name][2].keys() & recorded.keys():
        assert written[key] == recorded[key], key
    assert written["architectures"] == recorded["architectures"]
    assert written.get("id2label") == recorded.get("id2label")


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_loaded_with_the_heads_that_its_files_have(name):
    assert type(ak.load_model(RECORDED / name)).__name__ == CASES[name][1]


def test_the_exact_gelu_of_a_file_can_be_replaced_by_googles():
    source = RECORDED / "question_answering"
    assert ak.AlbertBackbone.from_pretrained(source).config.activation == (
        "gelu"
    )
    model = ak.AlbertBackbone.from_pretrained(source, activation="gelu_tanh")
    assert model.config.activation == "gelu_tanh"


def test_what_is_missing_or_left_over_is_reported_once_by_name(caplog):
    ak.AlbertForMaskedLM.from_pretrained(RECORDED / "question_answering")
    (message,) = [record.getMessage() for record in caplog.records]
    assert "no weights for backbone/pooler/kernel" in message
    assert "mlm_head/output_bias" in message
    assert "not used: span_head/kernel, span_head/bias" in message


def test_a_classifier_of_another_number_of_classes_starts_anew(caplog):
    source = RECORDED / "sequence_classification"
    model = ak.AlbertForSequenceClassification.from_pretrained(
        source, num_classes=2
    )
    assert model.classifier.units == 2
    assert "classifier/kernel (8, 3) as (8, 2)" in caplog.text
