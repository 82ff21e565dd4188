from . import data, layers, optimizers, training
from .config import AlbertConfig
from .focal_cross_entropy import FocalCrossEntropy
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
    "FocalCrossEntropy",
    "__version__",
    "data",
    "layers",
    "load_model",
    "optimizers",
    "training",
]
