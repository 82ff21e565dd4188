"""Documents that came before, exactly or nearly.

Each document gets a digest of its text and, for near duplicates, a MinHash
signature of its runs of five pieces, made by datasketch. They are compared
when the shards are merged, so that shards are made independently and the
first of the duplicates, in the order of the files, is the one that stays.

Signatures of 126 values in 21 bands of 6 (Leskovec et al., Mining of Massive
Datasets, chapter 3): documents that agree in a band are compared by the share
of equal values. Of pairs with a similarity of 0.8 a band finds 99.8%, of
those with 0.3 it has 1.5% compared.
"""

import hashlib

import numpy as np

from albert_keras.data.stateless_random import mix

SHINGLE = 5
BANDS, BAND_ROWS = 21, 6
SIGNATURE = BANDS * BAND_ROWS
SIMILARITY = 0.8
_AT_ONCE = 1 << 14


def digests(texts):
    """128 bits of the hash of each text.

    Returns:
        uint64 `(N, 2)`.
    """
    data = b"".join(
        hashlib.blake2b(text.encode(), digest_size=16).digest()
        for text in texts
    )
    return np.frombuffer(data, "uint64").reshape(-1, 2)


def signatures(ids_of_documents):
    """MinHash signatures of the runs of five pieces.

    Args:
        ids_of_documents: Arrays of ids.

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
        for start in range(0, len(hashes), _AT_ONCE):
            sketch.update_batch(hashes[start : start + _AT_ONCE].tolist())
        found[row] = sketch.hashvalues
    return found


def shingle_hashes(ids):
    """32-bit hashes of all runs of five pieces, each once."""
    width = min(SHINGLE, len(ids))
    hashes = np.zeros(len(ids) - width + 1, "uint64")
    for place in range(width):
        piece = ids[place : place + len(hashes)].astype("uint64")
        hashes = mix(hashes ^ (piece + np.uint64(1)))
    return np.unique(hashes & np.uint64(0xFFFFFFFF))


def exact_duplicates(found):
    """Which documents have the digest of an earlier one, `(N,)`."""
    _, first = np.unique(found, axis=0, return_index=True)
    is_duplicate = np.ones(len(found), bool)
    is_duplicate[first] = False
    return is_duplicate


def near_duplicates(found):
    """Which documents are much like an earlier one, `(N,)`.

    Args:
        found: Signatures `(N, SIGNATURE)`, a memory map perhaps.
    """
    is_duplicate = np.zeros(len(found), bool)
    for band in range(BANDS):
        columns = slice(band * BAND_ROWS, (band + 1) * BAND_ROWS)
        keys = np.zeros(len(found), "uint64")
        for values in found[:, columns].T:
            keys = mix(keys ^ values.astype("uint64"))
        _, first, group = np.unique(
            keys, return_index=True, return_inverse=True
        )
        leader = first[group]
        later = np.flatnonzero(leader != np.arange(len(found)))
        later = later[~is_duplicate[later]]
        for start in range(0, len(later), _AT_ONCE):
            rows = later[start : start + _AT_ONCE]
            agreement = (found[rows] == found[leader[rows]]).mean(axis=1)
            is_duplicate[rows] = agreement >= SIMILARITY
    return is_duplicate
