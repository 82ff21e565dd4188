"""ALBERT for Keras: pretrain your own language model, and fine-tune it."""

from albert_keras import data, layers, optimizers, training
from albert_keras.config import AlbertConfig
from albert_keras.data import AlbertTokenizer
from albert_keras.models import (
    AlbertBackbone,
    AlbertForMaskedLM,
    AlbertForMultipleChoice,
    AlbertForPretraining,
    AlbertForQuestionAnswering,
    AlbertForSequenceClassification,
    AlbertForTokenClassification,
    load_model,
)
from albert_keras.kernels.cpu_memory_pool import pool_tensors
from albert_keras.version import __version__

pool_tensors()

__all__ = [
    "AlbertBackbone",
    "AlbertConfig",
    "AlbertForMaskedLM",
    "AlbertForMultipleChoice",
    "AlbertForPretraining",
    "AlbertForQuestionAnswering",
    "AlbertForSequenceClassification",
    "AlbertForTokenClassification",
    "AlbertTokenizer",
    "__version__",
    "data",
    "layers",
    "load_model",
    "optimizers",
    "training",
]
