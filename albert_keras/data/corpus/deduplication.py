"""Finds exact and near-duplicate documents.

Each document gets a digest of its text and, for near duplicates, a MinHash
signature of its 5-token shingles, computed by datasketch. They are compared
when the shards are merged, so that shards can be encoded independently and
the first of the duplicates, in the order of the files, is kept.

Signatures have 126 values in 21 bands of 6 (Leskovec et al., Mining of
Massive Datasets, chapter 3). Documents that agree in a band are compared by
their share of equal values: 99.8% of the pairs with a similarity of 0.8, and
1.5% of those with 0.3.
"""

import hashlib

import numpy as np

from albert_keras.data.stateless_random import mix

SHINGLE = 5
BANDS, BAND_ROWS = 21, 6
SIGNATURE = BANDS * BAND_ROWS
SIMILARITY = 0.8
_BATCH = 1 << 14


def digests(texts):
    """Hashes each text to 128 bits.

    Returns:
        uint64 `(N, 2)`.
    """
    data = b"".join(
        hashlib.blake2b(text.encode(), digest_size=16).digest()
        for text in texts
    )
    return np.frombuffer(data, "uint64").reshape(-1, 2)


def signatures(ids_of_documents):
    """Computes the MinHash signatures of documents' 5-token shingles.

    Args:
        ids_of_documents: Token ids of each document.

    Returns:
        uint32 `(N, SIGNATURE)`.

    Raises:
        ValueError: If datasketch is not installed.
    """
    try:
        from datasketch import MinHash
    except ImportError as error:
        raise ValueError(
            "Finding near duplicates needs datasketch: pip install "
            "'datasketch>=2'."
        ) from error
    empty = MinHash(SIGNATURE, seed=1, scheme="affine32", hashfunc=int)
    found = np.zeros((len(ids_of_documents), SIGNATURE), "uint32")
    for row, ids in enumerate(ids_of_documents):
        sketch = empty.copy()
        hashes = shingle_hashes(ids)
        for start in range(0, len(hashes), _BATCH):
            sketch.update_batch(hashes[start : start + _BATCH].tolist())
        found[row] = sketch.hashvalues
    return found


def shingle_hashes(ids):
    """Returns the distinct 32-bit hashes of a document's shingles."""
    width = min(SHINGLE, len(ids))
    hashes = np.zeros(len(ids) - width + 1, "uint64")
    for offset in range(width):
        tokens = ids[offset : offset + len(hashes)].astype("uint64")
        hashes = mix(hashes ^ (tokens + np.uint64(1)))
    return np.unique(hashes & np.uint64(0xFFFFFFFF))


def exact_duplicates(text_digests):
    """Marks the documents with the digest of an earlier one, bool `(N,)`."""
    _, first = np.unique(text_digests, axis=0, return_index=True)
    is_duplicate = np.ones(len(text_digests), bool)
    is_duplicate[first] = False
    return is_duplicate


def near_duplicates(text_signatures):
    """Marks the documents that nearly repeat an earlier one, bool `(N,)`.

    Args:
        text_signatures: `(N, SIGNATURE)`, an array or a memory map.
    """
    is_duplicate = np.zeros(len(text_signatures), bool)
    for band in range(BANDS):
        columns = slice(band * BAND_ROWS, (band + 1) * BAND_ROWS)
        keys = np.zeros(len(text_signatures), "uint64")
        for values in text_signatures[:, columns].T:
            keys = mix(keys ^ values.astype("uint64"))
        _, first, group = np.unique(
            keys, return_index=True, return_inverse=True
        )
        leader = first[group]
        later = np.flatnonzero(leader != np.arange(len(text_signatures)))
        later = later[~is_duplicate[later]]
        for start in range(0, len(later), _BATCH):
            rows = later[start : start + _BATCH]
            is_equal = text_signatures[rows] == text_signatures[leader[rows]]
            is_duplicate[rows] = is_equal.mean(axis=1) >= SIMILARITY
    return is_duplicate
