"""The recipe writes exports that predict the same without this package."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tokenizers

import albert_keras as ak
from albert_keras.exporting import run_export
from albert_keras.exporting.manifest import Manifest
from tests.exporting.conftest import TEXTS

pytestmark = [pytest.mark.heavy, pytest.mark.process]

CLASSES = {
    "classes": (
        ak.AlbertForSequenceClassification,
        dict(num_classes=3, class_names=("bad", "so so", "good")),
    ),
    "numbers": (ak.AlbertForSequenceClassification, dict(num_classes=1)),
    "answers": (
        ak.AlbertForQuestionAnswering,
        dict(answerability_head=True),
    ),
    "spans": (ak.AlbertForQuestionAnswering, {}),
    "tags": (
        ak.AlbertForTokenClassification,
        dict(num_classes=3, class_names=("O", "B-X", "I-X")),
    ),
    "masks": (ak.AlbertForMaskedLM, {}),
    "choices": (ak.AlbertForMultipleChoice, {}),
    "embeddings": (ak.AlbertBackbone, {}),
}
SLOW = [pytest.mark.slow]


@pytest.fixture
def export(recipe, tmp_path):
    """A function that runs the recipe; returns (comparison, directory)."""

    def run(source, *flags):
        directory = tmp_path / "export"
        comparison = recipe("export").main(
            ["--pretrained", str(source), "--output_dir", str(directory)]
            + [str(flag) for flag in flags]
        )
        return comparison, directory

    return run


def outputs_apart(directory, manifest, inputs, tmp_path):
    """Outputs of an export, from a process without this package."""
    batches = tmp_path / "batches"
    batches.mkdir()
    np.savez(batches / "0.npz", **inputs)
    path = directory / run_export.FILES[manifest.format]
    command = [sys.executable, "-I", run_export.__file__, manifest.format]
    subprocess.run([*command, manifest.precision, path, batches], check=True)
    return dict(np.load(batches / "0-outputs.npz"))


def test_an_export_has_what_a_server_needs(save_model, export, tmp_path):
    model, source = save_model(*CLASSES["classes"][:1], **CLASSES["classes"][1])
    _, directory = export(source, "--format", "onnx", "--max_seq_length", 24)
    assert {path.name for path in directory.iterdir()} == {
        "model.onnx",
        "export.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "spiece.model",
    }
    values = json.loads((directory / "export.json").read_text())
    assert values["task"] == "text-classification"
    assert values["labels"] == {"0": "bad", "1": "so so", "2": "good"}
    assert values["sequence_length"] == 24
    assert (values["format"], values["precision"]) == ("onnx", "float32")
    manifest = Manifest.read(directory)
    tokenizer = tokenizers.Tokenizer.from_file(
        str(directory / "tokenizer.json")
    )
    inputs = model.preprocessor(TEXTS)
    for row, encoding in enumerate(tokenizer.encode_batch(TEXTS)):
        ids = inputs["token_ids"][row, : inputs["padding_mask"][row].sum()]
        assert encoding.ids == ids.tolist()
    outputs = outputs_apart(directory, manifest, inputs, tmp_path)
    labels = [p["label"] for p in model.classify(TEXTS)]
    numbers = outputs["logits"].argmax(axis=1)
    assert [values["labels"][str(n)] for n in numbers] == labels


@pytest.mark.parametrize(
    "kind",
    [
        "classes",
        *(pytest.param(k, marks=SLOW) for k in CLASSES if k != "classes"),
    ],
)
@pytest.mark.parametrize(
    "format",
    [pytest.param(f, marks=SLOW * (f != "onnx")) for f in run_export.FILES],
)
def test_every_task_agrees_in_float32(
    kind, format, save_model, export, text_lines
):
    model_class, arguments = CLASSES[kind]
    _, source = save_model(model_class, **arguments)
    found, _ = export(source, "--format", format, "--dev_file", text_lines)
    assert found.agreement == 1
    assert found.difference < 1e-4
    assert set(found.seconds) == {1, 16}


@pytest.mark.parametrize(
    "format, precision, tolerance",
    [
        ("onnx", "int8", 0.5),
        pytest.param("openvino", "int8", 1.5, marks=SLOW),
        pytest.param("litert", "int8", 0.5, marks=SLOW),
        pytest.param("saved_model", "int8", 0.5, marks=SLOW),
        pytest.param("saved_model", "bfloat16", 0.5, marks=SLOW),
        pytest.param("openvino", "bfloat16", 0.5, marks=SLOW),
    ],
)
def test_lower_precisions_differ_a_little(
    format, precision, tolerance, save_model, export, text_lines
):
    model_class, arguments = CLASSES["classes"]
    _, source = save_model(model_class, **arguments)
    flags = ["--calibration_file", text_lines] if precision == "int8" else []
    found, directory = export(
        *(source, "--format", format, "--precision", precision, *flags),
        *("--min_agreement", 0.8, "--dev_file", text_lines),
    )
    assert found.difference < tolerance
    assert Manifest.read(directory).precision == precision


def test_an_export_that_disagrees_is_refused_and_not_written(
    save_model, export, text_lines, tmp_path, monkeypatch
):
    model_class, arguments = CLASSES["classes"]
    _, source = save_model(model_class, **arguments)
    from albert_keras.exporting import export_model

    write = export_model.onnx_of_parts

    def damaged(parts):
        name = "classifier/kernel"
        parts.weights[name] = -np.asarray(parts.weights[name])
        return write(parts)

    monkeypatch.setattr(export_model, "onnx_of_parts", damaged)
    with pytest.raises(SystemExit, match="less than --min_agreement 0.99"):
        export(source, "--format", "onnx", "--dev_file", text_lines)
    assert not (tmp_path / "export").exists()
    assert not list(tmp_path.glob(".tmp*"))


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--format", "onnx", "--precision", "bfloat16"], "no products"),
        (["--format", "openvino", "--precision", "int8"], "--calibration_file"),
        (["--min_agreement", "2"], "--min_agreement must be from 0 to 1"),
        (["--dev_file", "missing.txt"], "missing.txt does not exist"),
        (["--max_seq_length", "4000"], "from 1 to 48"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(
    flags, message, save_model, export, tmp_path
):
    model_class, arguments = CLASSES["classes"]
    _, source = save_model(model_class, **arguments)
    with pytest.raises(SystemExit, match=message):
        export(source, *flags)
    assert not (tmp_path / "export").exists()


def test_a_directory_of_something_else_is_kept(save_model, export, tmp_path):
    model_class, arguments = CLASSES["classes"]
    _, source = save_model(model_class, **arguments)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit, match="something other than an export"):
        export(source)
    assert (tmp_path / "export" / "notes.txt").read_text() == "mine"
