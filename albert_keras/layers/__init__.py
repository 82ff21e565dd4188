"""ALBERT's components as Keras layers, for every Keras backend."""

from albert_keras.layers.answerability_head import AnswerabilityHead
from albert_keras.layers.classification_head import ClassificationHead
from albert_keras.layers.cross_layer_sharing import CrossLayerSharingEncoder
from albert_keras.layers.factorized_embedding import FactorizedEmbedding
from albert_keras.layers.masked_lm_head import MaskedLMHead
from albert_keras.layers.self_attention import SelfAttention
from albert_keras.layers.sentence_order_head import SentenceOrderHead
from albert_keras.layers.transformer_block import TransformerBlock

__all__ = [
    "AnswerabilityHead",
    "ClassificationHead",
    "CrossLayerSharingEncoder",
    "FactorizedEmbedding",
    "MaskedLMHead",
    "SelfAttention",
    "SentenceOrderHead",
    "TransformerBlock",
]
