"""Duplicates are found, and nothing else; the first of them is kept."""

import numpy as np
import pytest

from albert_keras.data import TokenStore
from albert_keras.data.corpus import deduplication
from albert_keras.data.corpus.prepare import prepare_corpus


def jaccard(a, b):
    a, b = (
        {tuple(ids[i : i + 5]) for i in range(len(ids) - 4)} for ids in (a, b)
    )
    return len(a & b) / len(a | b)


def change(rng, ids, share):
    ids = ids.copy()
    places = rng.choice(len(ids), int(share * len(ids)), replace=False)
    ids[places] = rng.integers(0, 30_000, len(places))
    return ids


def test_signatures_estimate_the_similarity(rng):
    original = rng.integers(0, 30_000, 600)
    others = [change(rng, original, share) for share in (0.0, 0.02, 0.05, 0.3)]
    found = deduplication.signatures([original, *others])
    for other, signature in zip(others, found[1:], strict=True):
        estimate = (signature == found[0]).mean()
        assert estimate == pytest.approx(jaccard(original, other), abs=0.12)


def test_near_duplicates_are_found_and_nothing_else(rng):
    originals = [rng.integers(0, 30_000, 400) for _ in range(200)]
    copies = [change(rng, ids, 0.01) for ids in originals[:60]]
    others = [change(rng, ids, 0.2) for ids in originals[60:120]]
    similar = [
        jaccard(a, b) for a, b in zip(originals[:60], copies, strict=True)
    ]
    assert min(similar) > 0.85
    found = deduplication.near_duplicates(
        deduplication.signatures([*originals, *copies, *others])
    )
    expected = np.repeat([False, True, False], [200, 60, 60])
    assert (found == expected).mean() > 0.99
    assert not found[:200].any() and not found[260:].any()


def test_exact_duplicates_are_those_that_came_before():
    digests = deduplication.digests(list("abacbad"))
    found = deduplication.exact_duplicates(digests)
    assert found.tolist() == [False, False, True, False, True, True, False]


def test_texts_of_a_few_pieces_have_signatures_too():
    found = deduplication.signatures(
        [np.array([7, 8]), np.array([7, 8]), np.array([9])]
    )
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()


@pytest.mark.parametrize("kind, kept", [("none", 6), ("exact", 5), ("near", 4)])
def test_duplicates_are_removed_over_files_and_shards(
    corpus, text_file, tmp_path, rng, kind, kept
):
    documents = text_file.read_text().strip().split("\n\n")
    long = "\n".join(documents[:20])
    nearly = long.replace(documents[5].split("\n")[0], "Bad dog.")
    texts = [long, documents[50], documents[60], nearly, long, documents[70]]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text + "\n")
    manifest = prepare_corpus(
        [tmp_path / "*.txt"],
        tmp_path / "c",
        corpus / "vocabulary.model",
        deduplicate=kind,
        workers=1,
    )
    assert manifest["num_documents"] == kept
    assert manifest["report"]["duplicates_removed"] == 6 - kept
    store = TokenStore(tmp_path / "c")
    store.verify()
    first = store.tokens[: store.sentence_offsets[store.document_offsets[1]]]
    ids = sum(store.tokenizer.encode(long.split("\n")), [])
    np.testing.assert_array_equal(first, ids)
