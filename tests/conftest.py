"""Which tests run; shared fixtures: a tiny corpus, tiny models, recipes."""

import gc
import importlib.util
import os
import sys
from pathlib import Path

# Read by TensorFlow when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import keras
import numpy as np
import pytest

from albert_keras import AlbertBackbone, AlbertConfig, AlbertForPretraining
from albert_keras.data import TokenStore
from albert_keras.data.corpus.prepare import prepare_corpus
from albert_keras.workflows.settings.parse_settings import parse_settings
from tests.processes import refuse_processes

RECIPES = Path(__file__).parents[1] / "recipes"
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
# Whole files go to a worker: those of these folders first, so that at the end
# no worker waits for another's long file.
LONGEST_FIRST = ("distributed", "recipes", "training", "launching", "kernels")


# === Which tests run, and in which order ===


def pytest_addoption(parser):
    parser.addoption(
        "--slow",
        action="store_true",
        help="also run the tests marked slow, and more examples of Hypothesis",
    )


def pytest_configure(config):
    # The same examples in every run: a test that passes passes again.
    hypothesis.settings.register_profile(
        "tests",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=200 if config.getoption("--slow") else 40,
        suppress_health_check=[
            hypothesis.HealthCheck.function_scoped_fixture,
            hypothesis.HealthCheck.too_slow,
        ],
    )
    hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    for item in items:
        if {"recipe", "pretraining_run"} & set(item.fixturenames):
            item.add_marker("heavy")
    tests = Path(__file__).parent

    def place(item):
        folder = item.path.relative_to(tests).parts[0]
        return (*LONGEST_FIRST, folder).index(folder)

    items.sort(key=place)


def pytest_collection_finish():
    # What was imported stays: without it, each of the collections that Keras
    # makes when it quantizes a layer takes a tenth of the time.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.get_closest_marker("slow") and not item.config.getoption("--slow"):
        pytest.skip("slow: `make test-all` runs it, or `pytest --slow`")
    refuse_processes(not item.get_closest_marker("process"))


# === Fixtures ===


@pytest.fixture(autouse=True)
def same_random_numbers():
    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def text_file(tmp_path_factory):
    """A plain text file of 300 documents of made-up words."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(make_text(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, text_file):
    """Directory of a prepared corpus with a vocabulary of 150 pieces."""
    directory = tmp_path_factory.mktemp("corpus") / "corpus"
    prepare_corpus(
        [text_file], directory, vocabulary_size=150, validation_share=0.2
    )
    return directory


@pytest.fixture
def store(corpus):
    return TokenStore(corpus)


@pytest.fixture
def tiny_config():
    return AlbertConfig(
        vocabulary_size=50,
        num_layers=2,
        num_heads=2,
        embedding_dim=6,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=16,
        initializer_range=0.3,
    )


@pytest.fixture
def pretraining_model(tiny_config):
    return AlbertForPretraining(AlbertBackbone.from_config(tiny_config))


@pytest.fixture
def shared_data():
    """A function that returns a file of real data, or skips the test."""

    def find(name):
        path = SHARED_DATA / name
        if not path.is_file():
            pytest.skip(f"{path} is not on this machine.")
        return path

    return find


@pytest.fixture
def recipe(monkeypatch):
    """A function that loads a recipe by name."""
    return recipe_loader(monkeypatch)


@pytest.fixture
def parsed(recipe, monkeypatch):
    """A function that parses a recipe's command line into its settings.

    `...` stands for the required flags that the command does not have.
    """
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")

    def parse_words(words):
        script, *argv = (
            os.path.expandvars(word) for word in words if word != "..."
        )
        for flag in ("--data_dir", "--output_dir") if "..." in words else ():
            if flag not in argv:
                argv += [flag, "somewhere"]
        module = recipe(Path(script).stem)
        module.run_recipe = lambda name, function, settings_class, argv: (
            parse_settings(settings_class, argv)
        )
        return module.main(argv)

    return parse_words


@pytest.fixture(scope="session")
def pretraining_run(corpus, tmp_path_factory):
    """The directory of a short pretraining run; tests must not change it."""
    directory = tmp_path_factory.mktemp("pretraining") / "run"
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as monkeypatch:
        recipe_loader(monkeypatch)("pretrain").main(
            [
                *("--data_dir", str(corpus), "--output_dir", str(directory)),
                *"--model_size tiny --max_seq_length 32 --batch_size 8 "
                "--total_steps 12 --log_frequency 2 --validation_frequency 4 "
                "--validation_steps 2 --checkpoint_frequency 20".split(),
            ]
        )
    return directory


def recipe_loader(monkeypatch):
    """A function that loads a recipe by name, for as long as a monkeypatch."""

    def load(name):
        spec = importlib.util.spec_from_file_location(
            f"recipe_{name}", RECIPES / f"{name}.py"
        )
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


def make_corpus(directory, text, vocabulary=None):
    """Prepares a corpus of a text; returns its directory.

    Without a vocabulary one of 150 pieces is trained.
    """
    (directory / "text.txt").write_text(text, encoding="utf-8")
    size = {} if vocabulary else {"vocabulary_size": 150}
    prepare_corpus(
        [directory / "text.txt"],
        directory / "corpus",
        vocabulary,
        validation_share=0.2,
        **size,
    )
    return directory / "corpus"


def make_text(num_documents=300, seed=0):
    """Documents of two to nine sentences, whose words are random syllables."""
    rng = np.random.default_rng(seed)
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    words = [
        "".join(rng.choice(syllables, rng.integers(1, 4))) for _ in range(200)
    ]
    documents = []
    for _ in range(num_documents):
        lines = []
        for _ in range(rng.integers(2, 10)):
            sentence = " ".join(rng.choice(words, rng.integers(3, 12)))
            lines.append(sentence.capitalize() + rng.choice([".", "?"]))
        documents.append("\n".join(lines))
    return "\n\n".join(documents) + "\n"


@pytest.fixture
def calls_of(monkeypatch):
    """A function that spies on another: its list gets an item per call."""

    def spy(owner, name):
        calls, function = [], getattr(owner, name)

        def counted(*args, **kwargs):
            calls.append(1)
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
        return calls

    return spy
