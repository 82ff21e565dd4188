"""Tiny task models with a tokenizer, and texts of made-up words."""

import dataclasses
import functools

import keras
import pytest

import albert_keras as ak
from tests.task_models import CONFIG

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
        keras.utils.set_random_seed(1)
        config = dataclasses.replace(
            CONFIG,
            vocabulary_size=tokenizer.vocabulary_size,
            num_layers=2,
            max_sequence_length=48,
            initializer_range=0.5,
        )
        backbone = ak.AlbertBackbone.from_config(config)
        model = model_class(backbone, *args, **kwargs)
        if with_tokenizer:
            model.preprocessor = tokenizer
        return model

    def make_model(*args, fresh=False, **kwargs):
        function = make_once.__wrapped__ if fresh else make_once
        return function(*args, **kwargs)

    return make_model
