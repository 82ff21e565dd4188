"""Fixtures of the tests of the fine-tuning recipes."""

import keras
import pytest

import albert_keras as ak
from albert_keras.data import TokenStore


@pytest.fixture(scope="session")
def pretrained(corpus, tmp_path_factory):
    """A model with random weights and the corpus's vocabulary."""
    keras.utils.set_random_seed(0)  # runs before the tests' own seed
    tokenizer = TokenStore(corpus).tokenizer
    config = ak.AlbertConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        embedding_dim=16,
        hidden_dim=32,
        intermediate_dim=32,
        max_sequence_length=64,
        initializer_range=0.2,
    )
    directory = tmp_path_factory.mktemp("pretrained") / "model"
    model = ak.AlbertBackbone.from_config(config)
    model.save_pretrained(directory, tokenizer=tokenizer)
    return directory
