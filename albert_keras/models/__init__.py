"""ALBERT's encoder, and models with heads for pretraining and for tasks."""

from albert_keras.models.auto import load_model
from albert_keras.models.backbone import AlbertBackbone
from albert_keras.models.masked_lm import AlbertForMaskedLM
from albert_keras.models.multiple_choice import AlbertForMultipleChoice
from albert_keras.models.pretraining import AlbertForPretraining
from albert_keras.models.question_answering import AlbertForQuestionAnswering
from albert_keras.models.sequence_classification import (
    AlbertForSequenceClassification,
)
from albert_keras.models.texts.preprocessor import AlbertPreprocessor
from albert_keras.models.token_classification import (
    AlbertForTokenClassification,
)

__all__ = [
    "AlbertBackbone",
    "AlbertForMaskedLM",
    "AlbertForMultipleChoice",
    "AlbertForPretraining",
    "AlbertForQuestionAnswering",
    "AlbertForSequenceClassification",
    "AlbertForTokenClassification",
    "AlbertPreprocessor",
    "load_model",
]
