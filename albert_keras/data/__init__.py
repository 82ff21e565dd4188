"""From text to training batches."""

from albert_keras.data.pretraining_dataset import PretrainingDataset
from albert_keras.data.pretraining_records import PretrainingRecords
from albert_keras.data.staged_dataset import StagedDataset
from albert_keras.data.token_store import TokenStore
from albert_keras.data.tokenizer import AlbertTokenizer

__all__ = [
    "AlbertTokenizer",
    "PretrainingDataset",
    "PretrainingRecords",
    "StagedDataset",
    "TokenStore",
]
