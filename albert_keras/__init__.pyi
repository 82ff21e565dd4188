from . import data, layers, optimizers, training
from .config import AlbertConfig
from .models import (
    AlbertBackbone,
    AlbertForMaskedLM,
    AlbertForMultipleChoice,
    AlbertForPretraining,
    AlbertForQuestionAnswering,
    AlbertForSequenceClassification,
    AlbertForTokenClassification,
    AlbertPreprocessor,
    load_model,
)
from .tokenization.tokenizer import AlbertTokenizer
from .version import __version__

__all__ = [
    "AlbertBackbone",
    "AlbertConfig",
    "AlbertForMaskedLM",
    "AlbertForMultipleChoice",
    "AlbertForPretraining",
    "AlbertForQuestionAnswering",
    "AlbertForSequenceClassification",
    "AlbertForTokenClassification",
    "AlbertPreprocessor",
    "AlbertTokenizer",
    "__version__",
    "data",
    "layers",
    "load_model",
    "optimizers",
    "training",
]
