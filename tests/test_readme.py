"""The commands and the Python of the README run."""

import re
import shutil

import numpy as np
import pytest

import albert_keras as ak
from tests.documents import ROOT, run_document
from tests.launching.conftest import VARIABLES
from tests.squad_files import write_squad

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_LINES = 220


# tests/test_docs.py checks that the commands are accepted, without running.
@pytest.mark.slow
@pytest.mark.process
def test_commands_and_python_run_in_the_order_shown(
    recipe, text_file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    shutil.copy(text_file, tmp_path / "texts")
    for variable, value in VARIABLES.items():
        monkeypatch.setenv(variable, value)
    write_squad(tmp_path / "train-v2.0.json")
    write_squad(tmp_path / "dev-v2.0.json", seed=1)
    (tmp_path / "notes.txt").write_text("Ba wrote it in Kofi.")
    rows = [
        f"{text},{name}" for text, name in (("Ba.", "good"), ("Ko.", "bad"))
    ]
    reviews = "\n".join(["text,label", *rows * 20])
    (tmp_path / "reviews.csv").write_text(reviews)
    (tmp_path / "new.csv").write_text("id,text\n7,Ba.\n")

    names = run_document(ROOT / "README.md", recipe)
    assert names["outputs"]["sequence_output"].shape == (2, 16, 128)
    assert names["outputs"]["pooled_output"].shape == (2, 128)
    # Fine-tuned, saved, and asked.
    assert {row["label"] for row in names["answers"]} <= {"good", "bad"}
    model = ak.load_model(tmp_path / "runs" / "classifier")
    labels = [row["label"] for row in model.classify(names["texts"])]
    assert np.mean(np.equal(labels, ["value", "error"] * 16)) > 0.9
    for written in (
        "runs/tiny/report.html",
        "runs/tiny-hf/model.safetensors",
        "runs/squad/eval_metrics.json",
        "predictions.csv",
        "exports/reviews/model.onnx",
    ):
        assert (tmp_path / written).is_file(), written


def test_the_readme_is_short():
    assert len(README.splitlines()) <= MAX_LINES


def test_the_make_targets_shown_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)$", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
