"""From text files to a vocabulary and a token store.

The files are cut into chunks of some megabytes; worker processes make a
shard of each, whole or not at all, in the folder `OUTPUT_DIR.parts`; then the
shards are put together, in their order, and that folder is removed. So a run
that was killed goes on with what is left, several machines can share the
chunks out, and the store is the same in every case.
"""

import contextlib
import fcntl
import shutil
import time
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
from albert_keras.data.reading.compressed_files import COMPRESSIONS, find_files
from albert_keras.files.atomic_write import atomic_directory, atomic_file
from albert_keras.tokenization.sentencepiece_encoder import PieceEncoder
from albert_keras.tokenization.vocabulary_training import train_vocabulary

# To read enough, not much more, of packed and other files for a vocabulary.
_UNPACKED = 4
_SENTENCE_BYTES = 100
_PATIENCE = 10.0  # seconds for the processes of a killed run to end


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
    """Makes a directory that `TokenStore` reads.

    The same call after an interruption goes on where it stopped.

    Args:
        inputs: Paths, directories and glob patterns, see `find_files`.
        output_dir: The directory; it appears whole or not at all.
        vocabulary: Path of a SentencePiece model; None trains one.
        vocabulary_size: Pieces of a vocabulary to be trained.
        vocabulary_sentences, character_coverage: See `train_vocabulary`.
        validation_share: Share of the documents held out.
        seed: Of the held-out share and of the vocabulary's sample.
        workers: Processes.
        overwrite: Whether to replace an earlier corpus.
        parts_dir: Folder of the unfinished work, by default
            `OUTPUT_DIR.parts`.
        progress: `(description, total_bytes) -> advance(num_bytes)`.
        **text_settings: Fields of `TextSettings`.

    Returns:
        The manifest of the store.

    Raises:
        ValueError: If a file is missing, empty, damaged or not readable as
            text, the output directory is in use, the disk is full, or the
            text is too small. Finished shards are kept.
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
    """Yields the plan of a corpus, its vocabulary at hand.

    Args:
        parts_dir: Folder of the unfinished work.
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
        source = {"sha256": _check_vocabulary(vocabulary)}
    with (
        full_disk_explained(parts_dir),
        _alone(parts_dir)
        if not is_shared
        else contextlib.nullcontext() as lock,
        _keep_if_worth(parts_dir, vocabulary is None),
    ):
        plan = CorpusPlan.begin(parts_dir, files, settings, source)
        plan.lock = lock
        if not is_shared:
            plan.remove_unfinished()
        if not plan.vocabulary.is_file():
            if vocabulary is None:
                _train(plan, source, workers, progress)
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
    """Encodes the chunks of one of several tasks, what is left of them."""
    numbers = plan.task_chunks(task_index, task_count)
    jobs = [
        {"do": "encode", "chunk": number}
        for number in numbers
        if not plan.is_finished(number)
    ]
    advance = _no_more_than(plan, len(jobs), "tokens", progress)
    run_jobs(plan, jobs, workers, advance)


def merge_parts(
    plan: CorpusPlan,
    output_dir: str | Path,
    validation_share: float,
    seed: int,
    progress: Callable | None = None,
) -> dict[str, Any]:
    """Puts the shards together, removes them, and returns the manifest."""
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
    """Raises where the output directory holds something to keep."""
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
            "directory, or `--overwrite` to replace it."
        )


def _check_vocabulary(path):
    """The fingerprint of a given vocabulary."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"The vocabulary {path} does not exist. Pass the path of a "
            "SentencePiece .model file."
        )
    return PieceEncoder(path.read_bytes(), path=path).sha256()


def _train(plan, source, workers, progress):
    """Trains the vocabulary on a share of the documents."""
    text = sum(
        file["bytes"]
        * (_UNPACKED if file["path"].endswith(COMPRESSIONS) else 1)
        for file in plan.record["files"]
    )
    # Twice as many as wanted, of which the trainer draws.
    share = min(1.0, 2 * source["sentences"] * _SENTENCE_BYTES / text)
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
        _no_more_than(plan, len(jobs), "vocabulary", progress),
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


def _no_more_than(plan, num_jobs, description, progress):
    """A progress that is told of as many bytes as the jobs have at most."""
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
def _keep_if_worth(parts_dir, trains_vocabulary):
    """Removes the folder of parts after an error, if nothing is finished."""
    try:
        yield
    except BaseException:
        is_trained = (parts_dir / VOCABULARY_FILE).is_file()
        shards = (parts_dir / "shards").glob("*/tokens.bin")
        has_shards = any(path.stat().st_size for path in shards)
        if not has_shards and not (trains_vocabulary and is_trained):
            shutil.rmtree(parts_dir, ignore_errors=True)
        raise


@contextlib.contextmanager
def _alone(parts_dir):
    """Holds a lock, so that two runs do not tidy up after one another.

    Yields the handle. Worker processes share it, so that those of a run that
    was killed are gone when the next one begins.
    """
    parts_dir.mkdir(parents=True, exist_ok=True)
    with open(parts_dir / "lock", "w") as file:
        end = time.monotonic() + _PATIENCE
        while not _locked(file):
            if time.monotonic() > end:
                raise ValueError(
                    "Another process is preparing this corpus in "
                    f"{parts_dir}. Wait for it, or end it."
                )
            time.sleep(0.05)
        yield file.fileno()


def _locked(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True
