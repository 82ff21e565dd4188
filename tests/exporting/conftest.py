"""Tiny models with a tokenizer, saved as pretrained directories."""

import numpy as np
import pytest

import albert_keras as ak
from tests.task_models import make_backbone

TEXTS = [
    "Ba do le.",
    "Mika tofe, relu pani sobe ga?",
    "Gori",
    "Ne fu dali rema ko. Pulo, tine ba",
    "Sa ko ru mo",
]


@pytest.fixture(scope="session")
def save_model(corpus, tmp_path_factory):
    """A function that saves a model of a class, and returns (model, path)."""
    tokenizer = ak.AlbertTokenizer.from_pretrained(corpus)
    saved = {}

    def save(model_class, **arguments):
        key = model_class, *sorted(arguments.items())
        if key not in saved:
            model = backbone = make_backbone(tokenizer, seed=2)
            if model_class is not ak.AlbertBackbone:
                model = model_class(backbone, **arguments)
            model.preprocessor = tokenizer
            path = tmp_path_factory.mktemp("model") / "model"
            model.save_pretrained(path)
            saved[key] = model, path
        return saved[key]

    return save


@pytest.fixture(scope="session")
def text_lines(tmp_path_factory):
    """A file with a text per line, of two to twelve words."""
    rng = np.random.default_rng(0)
    words = " ".join(TEXTS).replace(".", "").split()
    lines = [
        " ".join(rng.choice(words, rng.integers(2, 13))) for _ in range(40)
    ]
    path = tmp_path_factory.mktemp("texts") / "texts.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
