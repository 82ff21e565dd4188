"""ALBERT's encoder and the models with heads."""

from albert_keras.models.backbone import AlbertBackbone
from albert_keras.models.masked_lm import AlbertForMaskedLM
from albert_keras.models.pretraining import AlbertForPretraining

__all__ = ["AlbertBackbone", "AlbertForMaskedLM", "AlbertForPretraining"]
