"""What the README shows runs, and its file tree is the project's."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.squad_files import write_squad

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.strip().removeprefix("python ")
    for line in README.splitlines()
    if line.startswith("    python recipes/")
]
# So that the commands, as they are shown, take seconds here.
SMALLER = {
    "prepare_corpus": "--vocabulary_size 150",
    "pretrain": (
        "--total_steps 2 --max_seq_length 32 --batch_size 4 "
        "--validation_steps 1"
    ),
    "fill_mask": "",
    "convert": "",
    "finetune_squad": "--max_seq_length 128 --total_steps 2 --batch_size 4",
}

SHARED_BY_RECIPES = {
    "evaluating",
    "finetuning",
    "finetuning_settings",
    "progress",
    "settings",
    "squad_score",
    "task_settings",
}


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_in_python_run_one_after_another(corpus, directory):
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 2
    shutil.copytree(corpus, directory / "corpus")
    names = {}
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert names["outputs"]["sequence_output"].shape == (2, 16, 128)
    assert names["outputs"]["pooled_output"].shape == (2, 128)
    # The second: pretrained, fine-tuned, evaluated, predicted, saved, loaded.
    assert names["logits"].shape == (32, 2)
    again = names["model"].predict(names["batch"], verbose=0)["logits"]
    np.testing.assert_array_equal(again, names["logits"])
    accuracy = (again.argmax(-1) == names["labels"]).mean()
    assert accuracy > 0.9


def test_the_commands_run_one_after_another(recipe, text_file, directory):
    (directory / "texts").mkdir()
    shutil.copy(text_file, directory / "texts")
    write_squad(directory / "train-v2.0.json")
    write_squad(directory / "dev-v2.0.json", seed=1)
    (directory / "notes.txt").write_text("Ba wrote it in Kofi.")
    ran = []
    for command in COMMANDS:
        script, *argv = shlex.split(command)
        name = Path(script).stem
        recipe(name).main([*argv, *SMALLER[name].split()])
        ran.append(name)
    squad = ["finetune_squad"] * 2
    before = ["prepare_corpus", "pretrain", "fill_mask"]
    assert ran == [*before, *squad, "convert"]


def test_every_recipe_is_in_the_table():
    listed = re.findall(r"^\| `recipes/(\w+)\.py`", README, re.MULTILINE)
    recipes = {path.stem for path in (ROOT / "recipes").glob("*.py")}
    assert set(listed) == recipes - SHARED_BY_RECIPES


def test_the_make_targets_shown_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)$", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_file_tree_names_every_module():
    tree = README[README.index("## The file tree") :]
    paths = [
        *(ROOT / "albert_keras").rglob("*.py"),
        *(ROOT / "recipes").glob("*.py"),
    ]
    for path in paths:
        if path.name != "__init__.py":
            assert re.search(rf"\b{path.stem}\b", tree), path
