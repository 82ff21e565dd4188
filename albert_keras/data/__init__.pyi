from .corpus.corpus_statistics import (
    corpus_embeddings,
    log_frequencies,
    token_counts,
)
from .corpus.prepare import prepare_corpus
from .corpus.token_store import AlbertTokenizer, TokenStore
from .pretraining.dataset import PretrainingDataset
from .pretraining.google_records import PretrainingRecords
from .pretraining.staged_dataset import StagedDataset

__all__ = [
    "AlbertTokenizer",
    "PretrainingDataset",
    "PretrainingRecords",
    "StagedDataset",
    "TokenStore",
    "corpus_embeddings",
    "log_frequencies",
    "prepare_corpus",
    "token_counts",
]
