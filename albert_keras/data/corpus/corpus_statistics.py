"""Statistics of a corpus: token frequencies, co-occurrences, and embeddings.

The embeddings are a factor of the positive pointwise mutual information (PMI)
of tokens that occur near each other:

    X = max(0, log(n(a, b) / (n(a) p(b)))),  p(b) = n(b)^0.75 / sum n^0.75
    X ~ U S V'  (truncated singular value decomposition),  table = U sqrt(S)

where n(a, b) counts pairs at most `WINDOW` tokens apart, weighted by one over
their distance, and n(a) is the sum over b. The contexts b are the whole
vocabulary if it has at most 11,585 tokens, otherwise its most frequent tokens,
so that V x C counts fit `MAX_COUNTS`: a matrix of bounded size, whatever the
text. Skip-gram word embeddings factorize the same matrix implicitly (Levy &
Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization"); the
power of 0.75 is from Levy, Goldberg & Dagan 2015, "Improving Distributional
Similarity".
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from albert_keras.data.stateless_random import uniform

WINDOW = 5  # tokens
SMOOTHING = 0.75  # power of the frequencies of the second token of a pair
MAX_TOKENS = 100_000_000  # of a larger corpus a random sample is counted
MAX_COUNTS = 1 << 27  # of V x C; 0.5 GB
_CHUNK = 1_000_000  # tokens whose pairs are counted at once: 150 MB
_SVD_ITERATIONS = 2


def unigram_entropy(counts: np.ndarray) -> float:
    """Entropy -sum p ln p of the token frequencies, in nats."""
    counts = np.asarray(counts, "float64")
    p = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(p * np.log(p)).sum())


def token_counts(store: Any, seed: int = 0) -> np.ndarray:
    """Counts the tokens of the training documents, int64 `(V,)`.

    Args:
        store, seed: As for `count_co_occurrences`, which reads the same
            documents.
    """
    counts = np.zeros(store.vocabulary_size, "int64")
    for tokens, _ in _training_text(store, seed):
        counts += np.bincount(tokens, minlength=len(counts))
    return counts


def frequent_tokens(store: Any, number: int, seed: int = 0) -> np.ndarray:
    """Ids of the most frequent tokens, ascending; the lower ids of a tie.

    Args:
        store, seed: As for `token_counts`.
        number: Number of tokens; all of the vocabulary if it has fewer.
    """
    if number >= store.vocabulary_size:
        return np.arange(store.vocabulary_size)
    order = np.argsort(-token_counts(store, seed), kind="stable")
    return np.sort(order[:number])


def count_co_occurrences(
    store: Any,
    contexts: np.ndarray,
    seed: int = 0,
    on_tokens: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """Counts pairs of tokens of a document, weighted by 1 / distance.

    Args:
        store: A `TokenStore`; its training documents are read, or a random
            sample of `MAX_TOKENS` tokens if they have more.
        contexts: Ids of the tokens b, `(C,)`.
        seed: Seed of the sample.
        on_tokens: Called with the number of tokens read.

    Returns:
        float32 `(V, C)`: n(a, b) of each token a and context b.
    """
    column = np.full(store.vocabulary_size, -1)
    column[contexts] = np.arange(len(contexts))
    counts = np.zeros((store.vocabulary_size, len(contexts)), "float32")
    for tokens, documents in _training_text(store, seed):
        earlier, later, sums = _count_pairs(
            tokens, documents, store.vocabulary_size
        )
        # Each pair occurs once here, so that `+=` adds all of them.
        for row, context in ((earlier, later), (later, earlier)):
            inside = column[context] >= 0
            counts[row[inside], column[context[inside]]] += sums[inside]
        on_tokens(len(tokens))
    return counts


def positive_pmi(counts: np.ndarray) -> np.ndarray:
    """Converts co-occurrences to positive PMI, see the formula above.

    Args:
        counts: float32 `(V, C)`.

    Returns:
        float32 `(V, C)`.
    """
    smoothed = counts.sum(axis=0, dtype="float64") ** SMOOTHING
    # Without any pair of a token or a context, the difference is NaN: not PMI.
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = np.log(counts.sum(axis=1, keepdims=True, dtype="float64"))
        pmi = np.log(counts)
        pmi -= rows.astype("float32")
        pmi -= np.log(smoothed / smoothed.sum()).astype("float32")
    return np.fmax(pmi, 0, out=pmi)


def corpus_embeddings(
    store: Any,
    embedding_dim: int,
    seed: int = 0,
    on_tokens: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """Computes token embeddings from a corpus, without training.

    Args:
        store, seed, on_tokens: As for `count_co_occurrences`. The same store
            and seed give the same embeddings on one machine.
        embedding_dim: Width E.

    Returns:
        float32 `(V, E)`, with rows of norm 1; a row is 0 if the token does not
        occur near another one. If the matrix has a rank below E, the last
        columns are 0.

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    from sklearn.utils.extmath import randomized_svd

    number = max(MAX_COUNTS // store.vocabulary_size, embedding_dim)
    contexts = frequent_tokens(store, number, seed)
    pmi = positive_pmi(count_co_occurrences(store, contexts, seed, on_tokens))
    rank = min(embedding_dim, store.vocabulary_size)
    u, s, _ = randomized_svd(
        pmi, rank, n_iter=_SVD_ITERATIONS, random_state=seed
    )
    table = np.zeros((store.vocabulary_size, embedding_dim), "float32")
    table[:, :rank] = u * np.sqrt(s)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    is_known = norms > 1e-6 * max(float(norms.max()), 1e-30)
    return np.where(is_known, table / np.where(is_known, norms, 1), 0)


def log_frequencies(counts: np.ndarray) -> np.ndarray:
    """Log of the token frequencies, less its mean; float32 `(V,)`.

    Each token counts once more than it occurs. As the bias of an output layer
    whose other logits are small, its loss is the unigram entropy.
    """
    logs = np.log(np.asarray(counts, "float64") + 1)
    return (logs - logs.mean()).astype("float32")


def _training_text(store, seed):
    """Yields token ids, and the document of each, in chunks.

    Reads the training documents, or as many of them as hold `MAX_TOKENS`, in a
    random order. A document that is longer than a chunk may be divided.
    """
    documents = store.documents("train")
    starts, lengths = _spans(store, documents)
    if lengths.sum() > MAX_TOKENS:
        order = np.argsort(uniform(seed, "statistics", documents, 1)[:, 0])
        enough = 1 + np.searchsorted(np.cumsum(lengths[order]), MAX_TOKENS)
        documents = np.sort(documents[order[:enough]])
        starts, lengths = _spans(store, documents)
    text = np.asarray(store.tokens)  # slices of a plain array cost less
    chunk = (np.cumsum(lengths) - lengths) // _CHUNK
    rest = MAX_TOKENS
    for number in np.unique(chunk):
        inside = np.flatnonzero(chunk == number)
        spans = zip(starts[inside], lengths[inside], strict=True)
        tokens = np.concatenate([text[s : s + n] for s, n in spans])
        owner = np.repeat(documents[inside], lengths[inside])
        for start in range(0, min(len(tokens), rest), 2 * _CHUNK):
            part = slice(start, min(start + 2 * _CHUNK, rest))
            yield tokens[part], owner[part]
        rest -= len(tokens)


def _spans(store, documents):
    """Where documents start among the tokens, and their numbers of tokens."""
    starts, ends = (
        store.sentence_offsets[store.document_offsets[documents + i]]
        for i in (0, 1)
    )
    return starts, ends - starts


def _count_pairs(tokens, documents, vocabulary_size):
    """The different pairs of a chunk: earlier token, later token, weight."""
    tokens = tokens.astype("int64")
    keys = []
    for distance in range(1, WINDOW + 1):
        together = documents[:-distance] == documents[distance:]
        pairs = tokens[:-distance] * vocabulary_size + tokens[distance:]
        keys.append((pairs[together] << 3) + distance)
    key = np.sort(np.concatenate(keys))  # by pair, then by distance
    del keys
    pair = key >> 3
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    weights = 1 / np.maximum(key & 7, 1).astype("float32")
    sums = np.add.reduceat(weights, first) if len(first) else weights
    return (*np.divmod(pair[first], vocabulary_size), sums)
