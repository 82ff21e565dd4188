"""Encodes chunks of text into shards, in a worker process.

    python -c ... WORK_DIRECTORY          (see `light_command` in workers.py)

Reads jobs from standard input, one JSON object per line, and answers on
standard output: the number of bytes read, then `done` or `error`.
"""

import functools
import itertools
import json
import os
import queue
import signal
import sys
import threading

import numpy as np

from albert_keras.data.corpus import deduplication
from albert_keras.data.corpus.disk_space import full_disk_explained
from albert_keras.data.corpus.plan import CorpusPlan
from albert_keras.data.corpus.token_shard import TokenShard
from albert_keras.data.reading.documents import read_paragraphs
from albert_keras.data.reading.sentence_splitting import sentence_splitter
from albert_keras.data.reading.unreadable_text import BadText
from albert_keras.data.stateless_random import uniform
from albert_keras.files.atomic_write import atomic_file
from albert_keras.tokenization.sentencepiece_encoder import PieceEncoder
from albert_keras.tokenization.text_normalization import normalize_text

# A batch ends with the document that reaches either: normalizing and encoding
# take some kB for a sentence and some bytes for a character.
_SENTENCES_PER_BATCH = 4096
_CHARACTERS_PER_BATCH = 1 << 18
_DRAWS_PER_BATCH = 4096


def run_job(plan, job, on_bytes):
    """Runs a job: a dictionary whose `do` is "encode" or "sample"."""
    with full_disk_explained(plan.directory):
        if job["do"] == "encode":
            encode_chunk(plan, job["chunk"], on_bytes)
        else:
            sample_chunk(
                plan, job["chunk"], job["share"], job["seed"], on_bytes
            )


def encode_chunk(plan, number, on_bytes):
    """Writes the shards of a chunk that are not finished yet."""
    finished = plan.finished(number)
    if finished and finished[-1]["is_last"]:
        return
    settings = plan.settings
    bad_text = BadText(skip=settings.on_bad_text == "skip")
    documents = _documents(plan, number, on_bytes, bad_text, finished)
    for part in itertools.count(len(finished)):
        shard = TokenShard(_encoder(plan), _fingerprints(settings.deduplicate))
        is_last = _fill(shard, documents, settings)
        shard.counts["bad_texts"] = bad_text.count
        directory = plan.shard_directory(number, part)
        shard.write(directory, is_last=is_last, cuts=dict(bad_text.cuts))
        bad_text.reset()
        if is_last:
            return


def sample_chunk(plan, number, share, seed, on_bytes):
    """Writes the normalized sentences of a random share of the documents."""
    settings = plan.settings
    split = sentence_splitter(settings.language)
    bad_text = BadText(skip=settings.on_bad_text == "skip")
    target = sample_file(plan, number)
    with atomic_file(target, encoding="utf-8", newline="\n") as file:
        documents = _documents(plan, number, on_bytes, bad_text)
        for is_drawn, paragraphs in zip(
            _draws(number, share, seed), documents, strict=False
        ):
            if is_drawn:
                for sentence in map(
                    functools.partial(
                        normalize_text,
                        lowercase=settings.lowercase,
                        remove_accents=settings.remove_accents,
                    ),
                    (s for text in paragraphs for s in split(text)),
                ):
                    file.write(sentence + "\n")


def sample_file(plan, number):
    return plan.directory / "sample" / f"{number:06d}.txt"


def _documents(plan, number, on_bytes, bad_text, finished=()):
    return read_paragraphs(
        plan.chunks[number],
        on_bytes,
        bad_text,
        skip=sum(record["counts"]["documents_read"] for record in finished),
        rows_per_document=plan.settings.rows_in_document,
        text_field=plan.settings.text_field,
    )


def _fill(shard, documents, settings):
    """Adds documents until the shard is full; returns whether none is left."""
    split = sentence_splitter(settings.language)
    batch, num_sentences, num_characters, size = [], 0, 0, 0
    is_last = True
    for paragraphs in documents:
        shard.counts["documents_read"] += 1
        sentences = [s for text in paragraphs for s in split(text)]
        characters = sum(map(len, sentences))
        size += characters
        if not sentences or characters < settings.min_characters:
            shard.counts["documents_too_short"] += 1
        else:
            batch.append(sentences)
            num_sentences += len(sentences)
            num_characters += characters
        if (
            num_sentences >= _SENTENCES_PER_BATCH
            or num_characters >= _CHARACTERS_PER_BATCH
        ):
            shard.add(batch)
            batch, num_sentences, num_characters = [], 0, 0
        # Only chunks of compressed files are larger than one shard.
        if size >= 2 * settings.shard_bytes:
            is_last = False
            break
    shard.add(batch)
    return is_last


def _draws(number, share, seed):
    """Yields for each document of a chunk whether it is in the sample."""
    for start in itertools.count(0, _DRAWS_PER_BATCH):
        rows = (number << 40) + start + np.arange(_DRAWS_PER_BATCH)
        yield from uniform(seed, "vocabulary", rows, 1)[:, 0] < share


def _fingerprints(deduplicate):
    if deduplicate == "none":
        return None

    def fingerprints(texts, ids_of_documents):
        found = {"digests": deduplication.digests(texts)}
        if deduplicate == "near":
            found["signatures"] = deduplication.signatures(ids_of_documents)
        return found

    return fingerprints


def _encoder(plan):
    return _read_encoder(
        plan.vocabulary, plan.settings.lowercase, plan.settings.remove_accents
    )


@functools.lru_cache(maxsize=1)
def _read_encoder(path, lowercase, remove_accents):
    return PieceEncoder(path.read_bytes(), lowercase, remove_accents, path=path)


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    plan = CorpusPlan.load(sys.argv[1])

    def answer(**message):
        print(json.dumps(message), flush=True)

    for job in _jobs():
        try:
            run_job(plan, job, lambda count: answer(bytes=count))
        except ValueError as error:
            answer(error=str(error))
        else:
            answer(done=True)


def _jobs():
    """Yields jobs as they arrive; exits when the parent has exited."""
    jobs = queue.SimpleQueue()

    def listen():
        for line in sys.stdin:
            jobs.put(json.loads(line))
        os._exit(0)  # even during a job: nobody waits for its result

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield jobs.get()
