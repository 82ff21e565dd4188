"""ALBERT for Keras: pretrain your own language model, and fine-tune it."""

from albert_keras import layers, optimizers
from albert_keras.config import AlbertConfig
from albert_keras.models import (
    AlbertBackbone,
    AlbertForMaskedLM,
    AlbertForPretraining,
)

__all__ = [
    "AlbertBackbone",
    "AlbertConfig",
    "AlbertForMaskedLM",
    "AlbertForPretraining",
    "layers",
    "optimizers",
]
