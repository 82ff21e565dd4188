"""Merges shards, in order, into a token store."""

import collections
import itertools
import warnings

import numpy as np

from albert_keras.data.corpus import deduplication
from albert_keras.data.corpus.token_shard import read_array
from albert_keras.data.corpus.token_store_writer import TokenStoreWriter
from albert_keras.data.reading.plain_text import DOCUMENT_LIMIT
from albert_keras.data.reading.unreadable_text import cut_warning
from albert_keras.tokenization.sentencepiece_encoder import PieceEncoder

_UNKNOWN_LISTED = 20
_LONGEST_LISTED = 20


def merge_shards(plan, directory, encoder, validation_share, seed, on_bytes):
    """Writes the token store of a plan whose chunks are all finished.

    Args:
        plan: The `CorpusPlan`.
        directory: An existing directory.
        encoder: The `PieceEncoder` of the shards.
        validation_share: Share of the documents held out.
        seed: Seed of the choice of those documents.
        on_bytes: Called with the number of bytes read.

    Returns:
        The manifest.

    Raises:
        ValueError: If a chunk is not finished, a shard is damaged, or there
            is no text.
    """
    shards = _shards(plan)
    _warn_of_cuts(shards)
    dropped = _find_duplicates(plan, shards, encoder.vocabulary_size)
    first = 0
    with TokenStoreWriter(directory, encoder) as writer:
        for path, record in shards:
            arrays = _read_shard(path, record, encoder.vocabulary_size)
            on_bytes(sum(array.nbytes for array in arrays))
            last = first + len(arrays[2])
            if dropped is not None and dropped[first:last].any():
                arrays = _drop_documents(dropped[first:last], *arrays)
            first = last
            writer.add(*arrays)
        if not writer.num_tokens:
            names = [file["path"] for file in plan.record["files"]]
            raise ValueError(
                f"There is no text in {', '.join(names[:5])}: every line is "
                "empty or every document was dropped. Pass files with text."
            )
        return writer.finish(
            validation_share,
            seed,
            report=_report(shards, writer, first, encoder),
            settings={
                **plan.record["settings"],
                "inputs": plan.record["files"],
            },
        )


def _shards(plan):
    """Returns (directory, record) of all shards in order."""
    shards, missing = [], []
    for number in range(len(plan.chunks)):
        records = plan.finished(number)
        if not records or not records[-1]["is_last"]:
            missing.append(number)
        shards += [
            (plan.shard_directory(number, part), record)
            for part, record in enumerate(records)
        ]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(plan.chunks)} chunks of the text are "
            f"not finished in {plan.directory}; the first is number "
            f"{missing[0]}. Run their tasks (number modulo `task_count`) "
            "again, then merge."
        )
    return shards


def _warn_of_cuts(shards):
    cuts = collections.Counter()
    for _, record in shards:
        cuts.update(record["cuts"])
    if cuts:
        warnings.warn(cut_warning(cuts, DOCUMENT_LIMIT), stacklevel=3)


def _read_shard(path, record, vocabulary_size):
    names = ("tokens", "sentence_lengths", "document_lengths")
    return [read_array(path, record, name, vocabulary_size) for name in names]


def _drop_documents(dropped, tokens, sentence_lengths, document_lengths):
    is_sentence = np.repeat(~dropped, document_lengths)
    return (
        tokens[np.repeat(is_sentence, sentence_lengths)],
        sentence_lengths[is_sentence],
        document_lengths[~dropped],
    )


def _find_duplicates(plan, shards, vocabulary_size):
    """Marks the documents to drop; None without deduplication."""
    deduplicate = plan.settings.deduplicate
    if deduplicate == "none":
        return None

    def gather(name, width):
        arrays = [
            read_array(path, record, name, vocabulary_size)
            for path, record in shards
        ]
        return np.concatenate(arrays).reshape(-1, width)

    dropped = deduplication.exact_duplicates(gather("digests", 2))
    if deduplicate == "near":
        dropped |= deduplication.near_duplicates(
            gather("signatures", deduplication.SIGNATURE)
        )
    return dropped


def _report(shards, writer, num_encoded, encoder):
    """Counts what was read, dropped and found, for the manifest."""
    counts, unknown = collections.Counter(), collections.Counter()
    for _, record in shards:
        counts.update(record["counts"])
        unknown.update(dict(record["unknown"]))
    return {
        "documents_read": counts["documents_read"],
        "bad_texts_skipped": counts["bad_texts"],
        "documents_too_short": counts["documents_too_short"],
        "duplicates_removed": num_encoded - writer.num_documents,
        "documents": writer.num_documents,
        "sentences": writer.num_sentences,
        "tokens": writer.num_tokens,
        # Of everything encoded, including duplicates.
        "words": counts["words"],
        "characters": counts["characters"],
        "common_unknown": _most_common(unknown, _UNKNOWN_LISTED),
        "longest_pieces": longest_pieces(encoder, _LONGEST_LISTED),
    }


def _most_common(counter, number):
    """Returns the most common items; ties are sorted by string."""
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [list(item) for item in itertools.islice(ordered, number)]


def longest_pieces(encoder: PieceEncoder, number: int) -> list[str]:
    """Returns a vocabulary's longest pieces: they hint at its training text."""
    processor = encoder.processor
    pieces = (
        processor.id_to_piece(token_id)
        for token_id in range(encoder.vocabulary_size)
        if not processor.is_control(token_id)
    )
    return sorted(pieces, key=lambda piece: (-len(piece), piece))[:number]
