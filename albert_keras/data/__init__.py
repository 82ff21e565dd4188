"""From text to training batches."""

from albert_keras.data.pretraining.dataset import PretrainingDataset
from albert_keras.data.pretraining.google_records import PretrainingRecords
from albert_keras.data.pretraining.staged_dataset import StagedDataset
from albert_keras.data.corpus.token_store import TokenStore
from albert_keras.tokenization.tokenizer import AlbertTokenizer

__all__ = [
    "AlbertTokenizer",
    "PretrainingDataset",
    "PretrainingRecords",
    "StagedDataset",
    "TokenStore",
]
