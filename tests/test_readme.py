"""The commands and the Python of the README run."""

import re
import shutil

import numpy as np
import pytest

from tests.documents import ROOT, run_document
from tests.launching.conftest import VARIABLES
from tests.squad_files import write_squad

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_LINES = 220


# tests/test_docs.py checks that the commands are accepted, without running.
@pytest.mark.slow
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

    names = run_document(ROOT / "README.md", recipe)
    assert names["outputs"]["sequence_output"].shape == (2, 16, 128)
    assert names["outputs"]["pooled_output"].shape == (2, 128)
    # Pretrained, fine-tuned, predicted, saved, loaded.
    assert names["logits"].shape == (32, 2)
    again = names["model"].predict(names["batch"], verbose=0)["logits"]
    np.testing.assert_array_equal(again, names["logits"])
    accuracy = (again.argmax(-1) == names["labels"]).mean()
    assert accuracy > 0.9
    for written in (
        "runs/tiny/report.html",
        "runs/tiny-hf/model.safetensors",
        "runs/squad/eval_metrics.json",
    ):
        assert (tmp_path / written).is_file(), written


def test_the_readme_is_short():
    assert len(README.splitlines()) <= MAX_LINES


def test_the_make_targets_shown_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)$", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
