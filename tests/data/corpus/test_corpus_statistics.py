"""Frequencies, co-occurrences and embeddings are those of a slow reference."""

import dataclasses

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.data.corpus import corpus_statistics
from albert_keras.data.corpus.corpus_statistics import (
    corpus_embeddings,
    count_co_occurrences,
    frequent_tokens,
    log_frequencies,
    positive_pmi,
    token_counts,
    unigram_entropy,
)

V = 7


class Store:
    """Documents of token ids, with the interface of a `TokenStore`."""

    vocabulary_size = V

    def __init__(self, *documents, held_out=()):
        self.tokens = np.concatenate(documents).astype("uint16")
        ends = np.cumsum([len(document) for document in documents])
        self.sentence_offsets = np.concatenate([[0], ends])
        self.document_offsets = np.arange(len(documents) + 1)
        self.held_out = held_out

    def documents(self, split):
        everything = np.arange(len(self.document_offsets) - 1)
        return np.setdiff1d(everything, self.held_out)


@pytest.fixture
def documents(rng):
    return [rng.integers(0, V - 1, n) for n in (1, 2, 30, 5, 17, 40)]


def slow_counts(documents):
    counts = np.zeros((V, V))
    for document in documents:
        for i, a in enumerate(document):
            for j, b in enumerate(document):
                if 0 < abs(i - j) <= 5:
                    counts[a, b] += 1 / abs(i - j)
    return counts


@pytest.mark.parametrize("chunk", [1_000_000, 20])
def test_pairs_within_five_tokens_of_a_document_are_counted(
    documents, chunk, monkeypatch
):
    documents = [document[:chunk] for document in documents]
    monkeypatch.setattr(corpus_statistics, "_CHUNK", chunk)
    store = Store(*documents, held_out=[3])
    seen = []
    contexts = np.array([0, 2, 3])
    counts = count_co_occurrences(store, contexts, on_tokens=seen.append)
    read = [d for i, d in enumerate(documents) if i != 3]
    expected = slow_counts(read)[:, contexts]
    np.testing.assert_allclose(counts, expected, rtol=1e-6)
    assert sum(seen) == sum(map(len, read))
    expected = np.bincount(np.concatenate(read), minlength=V)
    np.testing.assert_array_equal(token_counts(store), expected)


def test_of_a_large_corpus_a_sample_of_documents_is_counted(
    documents, monkeypatch
):
    monkeypatch.setattr(corpus_statistics, "MAX_TOKENS", 50)
    store = Store(*documents)
    assert token_counts(store, seed=1).sum() == 50
    same, other = (token_counts(store, seed=seed) for seed in (1, 2))
    assert (token_counts(store, seed=1) == same).all()
    assert (same != other).any()


def test_the_contexts_are_the_most_frequent_tokens():
    store = Store(np.array([5, 5, 5, 1, 1, 4, 2, 2]))
    np.testing.assert_array_equal(frequent_tokens(store, 2), [1, 5])
    np.testing.assert_array_equal(frequent_tokens(store, 99), np.arange(V))


def test_positive_pmi_is_the_formula(documents):
    counts = slow_counts(documents)
    pmi = positive_pmi(counts.astype("float32"))
    p = counts.sum(0) ** 0.75 / (counts.sum(0) ** 0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(counts / counts.sum(1, keepdims=True) / p)
    expected = np.where(np.isfinite(expected), np.maximum(expected, 0), 0)
    np.testing.assert_allclose(pmi, expected, atol=1e-5)
    assert expected.any()


@pytest.mark.parametrize("number", [V, 4])
def test_embeddings_are_the_singular_vectors_of_numpy(
    documents, number, monkeypatch
):
    monkeypatch.setattr(corpus_statistics, "MAX_COUNTS", number * V)
    store = Store(*documents)
    pmi = positive_pmi(
        count_co_occurrences(store, frequent_tokens(store, number))
    )
    u, s, _ = np.linalg.svd(pmi.astype("float64"))
    expected = u[:, :3] * np.sqrt(s[:3])
    norms = np.linalg.norm(expected, axis=1, keepdims=True)
    table = corpus_embeddings(store, 3)
    # The similarities of tokens do not depend on the vectors' signs.
    expected = np.where(norms > 1e-6, expected / np.maximum(norms, 1e-9), 0)
    np.testing.assert_allclose(
        table @ table.T, expected @ expected.T, atol=1e-3
    )
    assert not table[V - 1].any()  # does not occur


def test_tokens_in_like_places_get_like_embeddings(rng):
    """Tokens 0 and 1 occur next to 4, tokens 2 and 3 next to 5."""
    pairs = rng.integers([0, 4], [2, 6], (400, 2))
    table = corpus_embeddings(
        Store(*([a + 2 * (b - 4), b] for a, b in pairs)), 4
    )
    similar = table @ table.T
    assert similar[0, 1] > 0.9 and similar[2, 3] > 0.9
    assert abs(similar[0, 2]) < 0.5


def test_a_width_above_the_vocabulary_leaves_zeros(documents):
    table = corpus_embeddings(Store(*documents), 12)
    assert table.shape == (V, 12) and not table[:, V:].any()
    assert table[:, :V].any()


def test_the_same_seed_gives_the_same_bits(documents):
    store = Store(*documents)
    first, again = (corpus_embeddings(store, 4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_text_without_information_gives_no_embeddings():
    table = corpus_embeddings(Store(np.zeros(9, int)), 4)
    assert not table.any()


@pytest.mark.heavy
def test_a_model_starts_at_the_unigram_entropy(store, tiny_config):
    counts = token_counts(store)
    config = dataclasses.replace(
        tiny_config, vocabulary_size=store.vocabulary_size
    )
    model = ak.AlbertForPretraining(ak.AlbertBackbone.from_config(config))
    before = np.array(model.backbone.token_table)
    embeddings = ak.data.corpus_embeddings(store, config.embedding_dim)
    model.initialize_tokens(embeddings, ak.data.log_frequencies(counts))
    after = np.array(model.backbone.token_table)
    norms = np.linalg.norm(after, axis=1)
    given = embeddings.any(axis=1)
    np.testing.assert_allclose(
        norms[given], np.linalg.norm(before, axis=1).mean(), rtol=1e-5
    )
    np.testing.assert_array_equal(after[~given], before[~given])
    assert not given[store.tokenizer.mask_id] and given.mean() > 0.5
    probabilities = np.exp(log_frequencies(counts))
    probabilities /= probabilities.sum()
    share = counts / counts.sum()
    loss = -(share * np.log(probabilities)).sum()
    assert loss == pytest.approx(unigram_entropy(counts), rel=0.02)


def test_embeddings_of_another_shape_are_refused(pretraining_model):
    config = pretraining_model.config
    with pytest.raises(ValueError, match="`embeddings` must be of shape"):
        pretraining_model.initialize_tokens(np.zeros((3, config.embedding_dim)))
    table = np.zeros((config.vocabulary_size, config.embedding_dim))
    with pytest.raises(ValueError, match="`output_bias` must be of shape"):
        pretraining_model.initialize_tokens(table, np.zeros(3))
