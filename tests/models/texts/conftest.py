"""Tiny task models with a tokenizer, and texts of made-up words."""

import functools

import pytest

import albert_keras as ak
from tests.task_models import make_backbone

TEXTS = [
    "Ba do le.",
    "Mika tofe, relu pani sobe ga?",
    "Gori",
    "Ne fu dali rema ko. Pulo, tine ba",
    "Sa",
]
PAIRS = ["Ko ru", "Ba", "Tine mo ba ge la fi.", "Do", "Le, ga"]


@pytest.fixture(scope="session")
def tokenizer(corpus):
    return ak.AlbertTokenizer.from_pretrained(corpus)


@pytest.fixture(scope="session")
def make(tokenizer):
    """A function that creates a task model with a tokenizer.

    The same one for the same arguments, unless it is to be `fresh`.
    """

    @functools.cache
    def make_once(model_class, *args, with_tokenizer=True, **kwargs):
        backbone = make_backbone(tokenizer, seed=1)
        model = model_class(backbone, *args, **kwargs)
        if with_tokenizer:
            model.preprocessor = tokenizer
        return model

    def make_model(*args, fresh=False, **kwargs):
        function = make_once.__wrapped__ if fresh else make_once
        return function(*args, **kwargs)

    return make_model
