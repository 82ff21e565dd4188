"""The documents build, and what the tutorials say runs."""

import html.parser
import os
import re
import shutil
import subprocess
import sys
import tarfile

import keras
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.data import TokenStore
from tests.documents import (
    ROOT,
    code_lines,
    commands,
    python_blocks,
    run_document,
)
from tests.squad_files import write_squad

PAGES = sorted((ROOT / "docs").rglob("*.md"))
SHOWN = [ROOT / "README.md", *PAGES]
TUTORIALS = ROOT / "docs" / "tutorials"


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a broken link or reference ends the build."""
    directory = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict"),
            *("--quiet", "--site-dir", str(directory)),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return directory


class Elements(html.parser.HTMLParser):
    """Start tags with their attributes."""

    def __init__(self, path):
        super().__init__()
        self.found = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_every_page_is_in_the_navigation(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    for page in PAGES:
        name = page.relative_to(ROOT / "docs").with_suffix("")
        if name.name != "index":
            assert f'href="{name.as_posix()}/"' in start, page


def test_the_site_is_read_without_a_network(site):
    for path in site.rglob("*.html"):
        for tag, attributes in Elements(path).found:
            if tag in ("script", "img", "iframe", "source"):
                assert "//" not in attributes.get("src", ""), path
            if tag == "link" and attributes.get("rel") != "canonical":
                assert "//" not in attributes.get("href", ""), path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:", path.read_text("utf-8"))


def test_every_public_name_is_in_the_reference(site):
    ids = {
        attributes["id"]
        for path in (site / "api").rglob("*.html")
        for _, attributes in Elements(path).found
        if "id" in attributes
    }
    modules = {"data", "layers", "optimizers", "training"}
    names = {f"albert_keras.{n}" for n in ak.__all__ if n[0] != "_"}
    names -= {f"albert_keras.{module}" for module in modules}
    for module in modules:
        for name in getattr(ak, module).__all__:
            names.add(f"albert_keras.{module}.{name}")
    missing = {
        name
        for name in names
        if not any(
            i == name or i.endswith(f".{name.split('.')[-1]}") for i in ids
        )
    }
    assert not missing


@pytest.mark.parametrize("page", SHOWN, ids=name_of)
def test_every_command_is_one_of_the_recipes(page, recipe, parsed):
    """With flags that exist, and values that they take."""
    for command in commands(page):
        parsed(command)


@pytest.mark.parametrize("page", SHOWN, ids=name_of)
def test_other_files_and_targets_that_are_shown_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in code_lines(page):
        script, *words = line.removeprefix("python ").split()
        if script.startswith(("benchmarks/", "docker/")):
            source = (ROOT / script).read_text(encoding="utf-8")
            for flag in re.findall(r"--(\w+)", line):
                assert re.search(rf"\b{flag}\b", source), line
        if script == "make":
            assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), line


def test_python_shown_elsewhere_is_python():
    for page in PAGES:
        for block in python_blocks(page):
            compile(block, str(page), "exec")


# === The tutorials ===


@pytest.fixture
def directory(tmp_path, monkeypatch, text_file):
    """Where the commands run: texts are there, and the project's recipes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    shutil.copy(text_file, tmp_path / "texts")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    return tmp_path


def test_a_folder_of_texts_becomes_a_model(directory, recipe):
    names = run_document(TUTORIALS / "own_domain.md", recipe)
    assert names["outputs"]["pooled_output"].shape == (2, 128)
    assert (directory / "runs/mine/report.html").is_file()


def test_googles_weights_go_on(directory, recipe, corpus):
    tokenizer = TokenStore(corpus).tokenizer
    keras.utils.set_random_seed(1)
    released = ak.AlbertForPretraining(
        ak.AlbertBackbone.from_size(
            "tiny", vocabulary_size=150, embedding_dim=64
        )
    )
    released.save_pretrained("albert_base", "google", tokenizer)
    with tarfile.open("albert_base_v2.tar.gz", "w:gz") as archive:
        archive.add("albert_base")
    shutil.rmtree("albert_base")

    run_document(TUTORIALS / "continue_pretraining.md", recipe)
    assert (directory / "domain-hf" / "model.safetensors").is_file()
    ours = ak.AlbertForPretraining.from_pretrained("albert_base_v2.tar.gz")
    for mine, theirs in zip(
        ours.get_weights(), released.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_squad_is_learned_scored_and_asked(directory, recipe, pretraining_run):
    (directory / "runs").mkdir()
    shutil.copytree(pretraining_run, directory / "runs/mine")
    write_squad(directory / "train-v2.0.json")
    write_squad(directory / "dev-v2.0.json", seed=1)
    (directory / "notes.txt").write_text("Ba wrote it in Kofi.")
    names = run_document(TUTORIALS / "squad.md", recipe)
    assert names["outputs"]["start_logits"].shape == (1, 32)


def test_the_backbone_is_a_layer_of_another_model(
    directory, recipe, pretraining_run
):
    (directory / "runs").mkdir()
    (directory / "runs/mine").symlink_to(pretraining_run)
    names = run_document(TUTORIALS / "your_own_model.md", recipe)
    assert names["history"]["loss"][-1] < names["history"]["loss"][0]
    again = names["again"].predict(names["batch"], verbose=0)
    first = names["model"].predict(names["batch"], verbose=0)
    np.testing.assert_array_equal(again["topic"], first["topic"])
