"""ALBERT for Keras: pretrain your own language model, and fine-tune it."""

from albert_keras import data, layers, optimizers
from albert_keras.config import AlbertConfig
from albert_keras.data import AlbertTokenizer
from albert_keras.models import (
    AlbertBackbone,
    AlbertForMaskedLM,
    AlbertForPretraining,
)
from albert_keras.version import __version__

__all__ = [
    "AlbertBackbone",
    "AlbertConfig",
    "AlbertForMaskedLM",
    "AlbertForPretraining",
    "AlbertTokenizer",
    "__version__",
    "data",
    "layers",
    "optimizers",
]
