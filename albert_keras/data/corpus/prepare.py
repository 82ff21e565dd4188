"""Turns text files into a vocabulary and a token store.

The files are split into chunks of a few megabytes. Worker processes encode
each into a shard, written atomically, in the work directory
`OUTPUT_DIR.parts`; then the shards are merged in order and that directory is
removed. So a killed run resumes with the remaining chunks, several machines
can share the work, and the store is the same in every case.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from albert_keras.data.corpus.disk_space import full_disk_explained
from albert_keras.data.corpus.encode_shard import sample_file
from albert_keras.data.corpus.merge_shards import merge_shards
from albert_keras.data.corpus.plan import (
    VOCABULARY_FILE,
    CorpusPlan,
    TextSettings,
)
from albert_keras.data.corpus.store_manifest import MANIFEST_FILE
from albert_keras.data.corpus.workers import run_jobs
from albert_keras.data.reading.compressed_files import find_files
from albert_keras.files.atomic_write import atomic_directory, atomic_file
from albert_keras.files.directory_lock import DirectoryLock
from albert_keras.tokenization.sentencepiece_encoder import PieceEncoder
from albert_keras.tokenization.vocabulary_training import train_vocabulary

_SENTENCE_BYTES = 100  # an estimate, to sample as much text as needed
_LOCK_FILE = "lock"


def prepare_corpus(
    inputs: str | Path | Sequence[str | Path],
    output_dir: str | Path,
    vocabulary: str | Path | None = None,
    vocabulary_size: int = 30000,
    vocabulary_sentences: int = 200_000,
    character_coverage: float = 0.99995,
    validation_share: float = 0.05,
    seed: int = 0,
    workers: int = 2,
    overwrite: bool = False,
    parts_dir: str | Path | None = None,
    progress: Callable | None = None,
    **text_settings: Any,
) -> dict[str, Any]:
    """Prepares a corpus: writes a directory that `TokenStore` reads.

    After an interruption, the same call resumes where it stopped.

    Args:
        inputs: Paths, directories and glob patterns, see `find_files`.
        output_dir: The directory, written atomically.
        vocabulary: Path of a SentencePiece model; None trains one.
        vocabulary_size: Number of pieces of a vocabulary that is trained.
        vocabulary_sentences, character_coverage: See `train_vocabulary`.
        validation_share: Share of the documents held out for validation.
        seed: Seed of the held-out documents and of the vocabulary's sample.
        workers: Number of processes.
        overwrite: Whether to replace an earlier corpus.
        parts_dir: Work directory, by default `OUTPUT_DIR.parts`.
        progress: `(description, total_bytes) -> advance(num_bytes)`.
        **text_settings: Fields of `TextSettings`.

    Returns:
        The manifest of the store.

    Raises:
        ValueError: If a file is missing, empty, damaged or not readable as
            text, the output directory is in use, the disk is full, or there
            is too little text. Finished shards are kept.
    """
    output_dir = Path(output_dir)
    check_free(output_dir, overwrite)
    check_share(validation_share)
    with prepare_parts(
        inputs,
        parts_dir or default_parts(output_dir),
        vocabulary,
        vocabulary_size,
        vocabulary_sentences,
        character_coverage,
        seed,
        workers,
        progress,
        **text_settings,
    ) as plan:
        check_free(output_dir, overwrite)  # another may have been quicker
        encode_task(plan, 0, 1, workers, progress)
        return merge_parts(plan, output_dir, validation_share, seed, progress)


@contextlib.contextmanager
def prepare_parts(
    inputs: str | Path | Sequence[str | Path],
    parts_dir: str | Path,
    vocabulary: str | Path | None = None,
    vocabulary_size: int = 30000,
    vocabulary_sentences: int = 200_000,
    character_coverage: float = 0.99995,
    seed: int = 0,
    workers: int = 2,
    progress: Callable | None = None,
    is_shared: bool = False,
    **text_settings: Any,
) -> Iterator[CorpusPlan]:
    """Writes the plan and the vocabulary of a corpus; yields the plan.

    The work directory is locked during the block.

    Args:
        parts_dir: Work directory.
        is_shared: Whether other processes work in it at the same time.
        inputs, vocabulary, vocabulary_size, vocabulary_sentences,
            character_coverage, seed, workers, progress, **text_settings: See
            `prepare_corpus`.
    """
    settings = TextSettings(**text_settings)
    files = find_files(inputs)
    parts_dir = Path(parts_dir)
    if vocabulary is None:
        source = {
            "size": vocabulary_size,
            "sentences": vocabulary_sentences,
            "character_coverage": character_coverage,
            "seed": seed,
        }
    else:
        source = {"sha256": _vocabulary_sha256(vocabulary)}
    with (
        full_disk_explained(parts_dir),
        lock_parts(parts_dir, is_shared) as lock,
        _remove_if_nothing_finished(parts_dir, vocabulary is None),
    ):
        plan = CorpusPlan.begin(parts_dir, files, settings, source)
        plan.lock = lock.fileno()
        if not is_shared:
            plan.remove_unfinished()
        if not plan.vocabulary.is_file():
            if vocabulary is None:
                _train_vocabulary(plan, source, workers, progress)
            else:
                with atomic_file(plan.vocabulary, "wb") as file:
                    file.write(Path(vocabulary).read_bytes())
        yield plan


def encode_task(
    plan: CorpusPlan,
    task_index: int,
    task_count: int,
    workers: int,
    progress: Callable | None = None,
) -> None:
    """Encodes the unfinished chunks of one of several tasks.

    Raises:
        ValueError: If another process does the same task, a file cannot be
            read, or the disk is full.
    """
    with DirectoryLock(
        plan.directory,
        f"Task {task_index} of the preparation of a corpus",
        remedy="pass another `task_index`",
        name=f"task-{task_index}.lock",
    ):
        jobs = [
            {"do": "encode", "chunk": number}
            for number in plan.task_chunks(task_index, task_count)
            if not plan.is_finished(number)
        ]
        advance = _capped_progress(plan, len(jobs), "tokens", progress)
        run_jobs(plan, jobs, workers, advance)


def merge_parts(
    plan: CorpusPlan,
    output_dir: str | Path,
    validation_share: float,
    seed: int,
    progress: Callable | None = None,
) -> dict[str, Any]:
    """Merges the shards, removes them, and returns the manifest."""
    output_dir = Path(output_dir)
    encoder = PieceEncoder(
        plan.vocabulary.read_bytes(),
        plan.settings.lowercase,
        plan.settings.remove_accents,
        path=plan.vocabulary,
    )
    for stale in output_dir.parent.glob(f".tmp-{output_dir.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    total = sum(
        path.stat().st_size
        for path in (plan.directory / "shards").glob("*/*.bin")
    )
    advance = progress("merge", total) if progress else lambda count: None
    with (
        full_disk_explained(plan.directory),
        atomic_directory(output_dir) as directory,
    ):
        manifest = merge_shards(
            plan, directory, encoder, validation_share, seed, advance
        )
    plan.remove()
    return manifest


def lock_parts(parts_dir: str | Path, is_shared: bool = False) -> DirectoryLock:
    """Returns a lock on the work directory, not acquired yet.

    Worker processes inherit it, so that it is free only when those of a
    killed run have exited, too.

    Args:
        parts_dir: Work directory.
        is_shared: Whether other tasks of the corpus may work at the same time.
    """
    return DirectoryLock(
        parts_dir,
        "The preparation of a corpus",
        name=_LOCK_FILE,
        shared=is_shared,
    )


def default_parts(output_dir: str | Path) -> Path:
    output_dir = Path(output_dir)
    return output_dir.with_name(f"{output_dir.name}.parts")


def check_share(validation_share: float) -> None:
    if not 0 < validation_share < 1:
        raise ValueError(
            "`validation_share` must be above 0 and below 1. "
            f"Received: {validation_share}."
        )


def check_free(output_dir: str | Path, overwrite: bool) -> None:
    """Raises if the output directory holds something worth keeping."""
    output_dir = Path(output_dir)
    if output_dir.is_file():
        raise ValueError(f"{output_dir} is a file. Pass a directory.")
    if not output_dir.exists() or not any(output_dir.iterdir()):
        return
    if not (output_dir / MANIFEST_FILE).is_file():
        raise ValueError(
            f"{output_dir} holds something other than a prepared corpus. "
            "Pass a new directory."
        )
    if not overwrite:
        raise ValueError(
            f"{output_dir} already holds a prepared corpus. Pass another "
            "directory, or `overwrite=True` to replace it."
        )


def _vocabulary_sha256(path):
    """Returns the checksum of an existing vocabulary."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"The vocabulary {path} does not exist. Pass the path of a "
            "SentencePiece .model file."
        )
    return PieceEncoder(path.read_bytes(), path=path).sha256()


def _train_vocabulary(plan, source, workers, progress):
    """Trains the vocabulary on a random share of the documents."""
    # Twice as many sentences as needed: `train_vocabulary` samples from them.
    share = 2 * source["sentences"] * _SENTENCE_BYTES / plan.text_size
    share = min(1.0, share)
    numbers = range(len(plan.chunks))
    jobs = [
        {
            "do": "sample",
            "chunk": number,
            "share": share,
            "seed": source["seed"],
        }
        for number in numbers
    ]
    run_jobs(
        plan,
        jobs,
        workers,
        _capped_progress(plan, len(jobs), "vocabulary", progress),
    )
    train_vocabulary(
        _lines(sample_file(plan, number) for number in numbers),
        plan.vocabulary,
        source["size"],
        character_coverage=source["character_coverage"],
        input_sentence_size=source["sentences"],
        seed=source["seed"],
        num_threads=workers,
    )
    shutil.rmtree(plan.directory / "sample")


def _lines(paths):
    for path in paths:
        with open(path, encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.rstrip("\n")


def _capped_progress(plan, num_jobs, description, progress):
    """Caps reported progress at the bytes that these jobs cover."""
    if progress is None:
        return lambda count: None
    left = plan.size * num_jobs // max(len(plan.chunks), 1)
    advance = progress(description, left)

    def limited(count):
        nonlocal left
        count = min(count, left)
        left -= count
        advance(count)

    return limited


@contextlib.contextmanager
def _remove_if_nothing_finished(parts_dir, trains_vocabulary):
    """Removes the work directory after an error if nothing was finished."""
    try:
        yield
    except BaseException:
        is_trained = (parts_dir / VOCABULARY_FILE).is_file()
        shards = (parts_dir / "shards").glob("*/tokens.bin")
        has_shards = any(path.stat().st_size for path in shards)
        if not has_shards and not (trains_vocabulary and is_trained):
            shutil.rmtree(parts_dir, ignore_errors=True)
        raise
