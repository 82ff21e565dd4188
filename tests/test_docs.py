"""The documents build, name what exists, and the tutorials run."""

import ast
import html.parser
import importlib
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
from tests.draw_architecture import LEFT_OUT, PAGE, drawn, read_rooms
from tests.squad_files import write_squad
from tests.test_structure import RANKS

PAGES = sorted((ROOT / "docs").rglob("*.md"))
SHOWN = [ROOT / "README.md", *PAGES]
TUTORIALS = ROOT / "docs" / "tutorials"
# Words in code: a path of the project, from its root or from the package's; and
# the dotted name of something in the package.
FOLDERS = sorted(
    path.name
    for parent in (ROOT, ROOT / "albert_keras")
    for path in parent.iterdir()
    if path.is_dir() and path.name[0].isalpha()
)
SHOWN_PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./]*")
SHOWN_NAME = re.compile(r"\b(?:albert_keras|ak)((?:\.(?!json\b)\w+)+)")


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


@pytest.mark.process
@pytest.mark.slow
def test_every_page_is_in_the_navigation(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    for page in PAGES:
        name = page.relative_to(ROOT / "docs").with_suffix("")
        if name.name != "index":
            assert f'href="{name.as_posix()}/"' in start, page


@pytest.mark.process
@pytest.mark.slow
def test_the_site_is_read_without_a_network(site):
    for path in site.rglob("*.html"):
        for tag, attributes in Elements(path).found:
            if tag in ("script", "img", "iframe", "source"):
                assert "//" not in attributes.get("src", ""), path
            if tag == "link" and attributes.get("rel") != "canonical":
                assert "//" not in attributes.get("href", ""), path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:", path.read_text("utf-8"))


@pytest.mark.process
@pytest.mark.slow
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
    """Its flags exist and accept the values."""
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


@pytest.mark.parametrize(
    "page", [*SHOWN, ROOT / "CONTRIBUTING.md"], ids=name_of
)
def test_paths_and_names_that_are_shown_exist(page):
    for word in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        if re.search(r"[A-Z]{4}", word):  # TASK, for a name of the reader's
            continue
        if SHOWN_PATH.fullmatch(word):
            places = (ROOT, ROOT / "albert_keras")
            assert any((place / word).exists() for place in places), word
        if name := SHOWN_NAME.search(word):
            find_in_package(name[1].split(".")[1:])


def find_in_package(names):
    """A module, or an attribute of one, by the parts of its dotted name."""
    found = ak
    for number, name in enumerate(names, 1):
        if not hasattr(found, name):
            importlib.import_module(".".join(["albert_keras", *names[:number]]))
        found = getattr(found, name)
    return found


def test_python_shown_elsewhere_is_python():
    for page in PAGES:
        for block in python_blocks(page):
            compile(block, str(page), "exec")


def test_every_recipe_is_in_the_table():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `recipes/(\w+)\.py`", text, re.MULTILINE)
    recipes = {path.stem for path in (ROOT / "recipes").glob("*.py")}
    assert set(listed) == recipes


# === The architecture ===


def test_the_picture_and_the_file_tree_are_those_of_the_code():
    text = PAGE.read_text(encoding="utf-8")
    assert text == drawn(text), "Run: python -m tests.draw_architecture"


def test_every_room_is_in_the_table_in_the_order_of_ranks():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d.]+) \| `([\w/]+)` \|", text, re.MULTILINE)
    ranks = {room: float(rank) for rank, room in rows}
    assert set(ranks) == set(read_rooms()) - {"recipes"}
    for room, rank in ranks.items():
        assert rank == RANKS.get(room, RANKS[room.split("/")[0]]), room
    assert list(ranks.values()) == sorted(ranks.values(), reverse=True)
    for module in LEFT_OUT:
        assert module.endswith("__init__") or f"`{module}.py`" in text


def test_functions_that_the_architecture_names_exist():
    """Words in code with parentheses behind them."""
    defined = {
        node.name
        for path in (ROOT / "albert_keras").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+)\(\)`", text)) <= defined


# === The tutorials ===


@pytest.fixture
def directory(tmp_path, monkeypatch, text_file):
    """The directory for a tutorial's commands, with texts and recipes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    shutil.copy(text_file, tmp_path / "texts")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    return tmp_path


@pytest.mark.slow
def test_a_folder_of_texts_becomes_a_model(directory, recipe):
    names = run_document(TUTORIALS / "own_domain.md", recipe)
    assert names["outputs"]["pooled_output"].shape == (2, 128)
    assert (directory / "runs/mine/report.html").is_file()


@pytest.mark.slow
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


@pytest.mark.slow
def test_squad_is_learned_scored_and_asked(directory, recipe, pretraining_run):
    (directory / "runs").mkdir()
    shutil.copytree(pretraining_run, directory / "runs/mine")
    write_squad(directory / "train-v2.0.json")
    write_squad(directory / "dev-v2.0.json", seed=1)
    (directory / "notes.txt").write_text("Ba wrote it in Kofi.")
    names = run_document(TUTORIALS / "squad.md", recipe)
    assert names["outputs"]["start_logits"].shape == (1, 32)


@pytest.mark.slow
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


@pytest.mark.heavy
@pytest.mark.slow
def test_models_take_texts(directory, recipe, corpus):
    tokenizer = TokenStore(corpus).tokenizer
    backbone = ak.AlbertBackbone.from_size("tiny", vocabulary_size=150)
    for name, model in {
        "reviews/best": ak.AlbertForSequenceClassification(backbone),
        "squad/best": ak.AlbertForQuestionAnswering(backbone),
        "conll/best": ak.AlbertForTokenClassification(
            backbone, 2, class_names=["O", "B-PER"]
        ),
        "race/best": ak.AlbertForMultipleChoice(backbone),
        "mine": ak.AlbertForPretraining(backbone),
    }.items():
        model.save_pretrained(directory / "runs" / name, tokenizer=tokenizer)
    page = ROOT / "docs" / "how_to" / "texts.md"
    names = run_document(page, recipe)
    again = ak.load_model("reviews")
    assert again.class_names == ("no", "yes")
    assert again.classify("Fine.") == names["model"].classify("Fine.")


@pytest.mark.slow
def test_texts_are_embedded_and_found(directory, recipe, corpus):
    tokenizer = TokenStore(corpus).tokenizer
    backbone = ak.AlbertBackbone.from_size("tiny", vocabulary_size=150)
    backbone.save_pretrained(directory / "runs/mine", tokenizer=tokenizer)
    (directory / "texts.csv").write_text("text\nA cat.\nA dog.\n")
    pairs = "question,answer\n" + "A cat?,A cat.\nA dog?,A dog.\n" * 40
    (directory / "pairs.csv").write_text(pairs)
    names = run_document(ROOT / "docs" / "how_to" / "embeddings.md", recipe)
    assert names["array"].shape == (2, backbone.config.hidden_dim)
    similarities = names["embeddings"] @ names["backbone"].embed("A cat naps.")
    assert names["indices"].tolist() == np.argsort(-similarities)[:2].tolist()
    np.testing.assert_allclose(
        names["again"]["pooled_output"],
        names["outputs"]["pooled_output"],
        atol=1e-5,
    )
    assert (directory / "runs/pairs/best").is_dir()
