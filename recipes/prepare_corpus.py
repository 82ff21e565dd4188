"""Prepares a corpus for pretraining: vocabulary and token store.

    python recipes/prepare_corpus.py --input 'texts/*.txt' --output_dir corpus

Reads plain text (one paragraph or sentence per line, documents separated by a
blank line or the end of a file), JSON lines and Parquet (documents in `text`,
or in `--text_field`), and XML dumps of Wikipedia; also compressed by gzip,
bzip2, xz or zstd. The content of a file determines its format, not its name.
The store takes just over two bytes per token; masks are drawn during training.
The same command resumes an interrupted run.

On several machines that share a folder:

    ... --vocabulary_only                     # on one, if there is none yet
    ... --task_index I --task_count N         # on each of N, I from 0
    ... --merge                               # on one

See docs/corpora.md. Encodes about 2 million tokens per second and core.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from albert_keras.data.corpus.plan import CorpusPlan, TextSettings
from albert_keras.data.corpus.prepare import (
    check_free,
    check_share,
    default_parts,
    encode_task,
    lock_parts,
    merge_parts,
    prepare_parts,
)
from albert_keras.workflows.progress_bars import progress_bars
from albert_keras.workflows.settings.parse_settings import run_recipe


@dataclasses.dataclass(frozen=True)
class Settings:
    """Prepares a corpus for pretraining: vocabulary and token store."""

    output_dir: str
    """Directory to write, atomically."""

    input: tuple[str, ...] = ()
    """Text files: paths, directories or quoted glob patterns."""

    # === Vocabulary ===

    vocabulary: str | None = None
    """SentencePiece model to use; by default one is trained."""

    vocabulary_size: int = 30000
    """Number of pieces of the trained vocabulary (ALBERT: 30,000)."""

    vocabulary_sentences: int = 200000
    """Sentences to train the vocabulary on, sampled from all text. Training
    takes 1 GB of memory for 200,000, 5 GB for a million (ALBERT: ten
    million)."""

    character_coverage: float = 0.99995
    """Share of the characters in the vocabulary (ALBERT's; 0.9995 for Chinese
    and Japanese)."""

    # === Text ===

    lowercase: bool = True
    """Lowercase the text, like the English ALBERT."""

    remove_accents: bool = True
    """Remove accents, like the English ALBERT. Not for Japanese, Korean or the
    languages of India."""

    text_field: str = "text"
    """Field or column of the text in JSON lines and Parquet."""

    language: str | None = None
    """Split sentences by the rules of this language (de, zh, ...) with
    sentencex; by default by a simple rule."""

    min_characters: int = 0
    """Omit documents with fewer characters."""

    deduplicate: Literal["none", "exact", "near"] = "none"
    """Omit documents that repeat an earlier one exactly, or nearly."""

    on_bad_text: Literal["fail", "skip"] = "fail"
    """Action for lines that are not UTF-8 or have no `text`."""

    sentence_rows: tuple[str, ...] = ()
    """Glob patterns of input files with one sentence per row and no separator
    between documents, as in BookCorpus."""

    rows_per_document: int = 256
    """Number of such rows that make up a document."""

    # === Work ===

    validation_share: float = 0.05
    """Share of the documents to hold out; 0.001 is enough for gigabytes."""

    seed: int = 0
    """Seed of the held-out documents and the vocabulary's sample."""

    workers: int = 2
    """Number of processes."""

    shard_megabytes: float = 8.0
    """Text per shard; an interrupted run resumes at the last shard."""

    overwrite: bool = False
    """Replace an earlier corpus in the output directory."""

    # === Several machines ===

    parts_dir: str | None = None
    """Folder for unfinished work; by default OUTPUT_DIR.parts."""

    vocabulary_only: bool = False
    """Only train the vocabulary."""

    task_index: int | None = None
    """Index of this task, from 0."""

    task_count: int = 1
    """Number of tasks among which the text is divided."""

    merge: bool = False
    """Merge the shards of the tasks."""

    def text_settings(self):
        """The fields that determine the tokens."""
        names = {field.name for field in dataclasses.fields(TextSettings)}
        return {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if name in names
        }

    def check(self):
        """Raises if settings conflict."""
        index = self.task_index
        if index is not None and not 0 <= index < self.task_count:
            raise ValueError(
                "--task_index must be at least 0 and below --task_count. "
                f"Received: {index} of {self.task_count}."
            )
        if index is None and self.task_count > 1 and not self.merge:
            raise ValueError(
                f"--task_count {self.task_count} needs --task_index, the index "
                "of this task."
            )
        if not self.input and not self.merge:
            raise ValueError(
                "--input must name text files, except with --merge."
            )
        if sum([index is not None, self.merge, self.vocabulary_only]) > 1:
            raise ValueError(
                "--task_index, --merge and --vocabulary_only are separate "
                "steps. Pass only one."
            )


def main(argv=None):
    return run_recipe("prepare_corpus", prepare, Settings, argv)


def prepare(settings):
    """Prepares the corpus or a part of it, and prints statistics."""
    settings.check()
    check_share(settings.validation_share)
    output_dir = Path(settings.output_dir)
    parts_dir = Path(settings.parts_dir or default_parts(output_dir))
    is_task = settings.task_index is not None
    if not is_task:
        check_free(output_dir, settings.overwrite)
    with (
        progress_bars("B", unit_scale=True) as progress,
        lock_parts(parts_dir)
        if settings.merge
        else begin(settings, parts_dir, is_task, progress) as plan,
    ):
        if not is_task:
            # Another process may have been quicker.
            check_free(output_dir, settings.overwrite)
        if settings.merge:
            plan = plan_to_merge(parts_dir)
        else:
            encode(settings, plan, is_task, progress)
        if is_task or settings.vocabulary_only:
            return
        manifest = merge_parts(
            plan,
            output_dir,
            settings.validation_share,
            settings.seed,
            progress,
        )
    report(output_dir, manifest)


def begin(settings, parts_dir, is_task, progress):
    """A context with the plan of the corpus and the vocabulary."""
    if is_task:
        check_vocabulary_is_there(settings, parts_dir)
    return prepare_parts(
        settings.input,
        parts_dir,
        settings.vocabulary,
        settings.vocabulary_size,
        settings.vocabulary_sentences,
        settings.character_coverage,
        settings.seed,
        settings.workers,
        progress,
        is_shared=is_task,
        **settings.text_settings(),
    )


def encode(settings, plan, is_task, progress):
    """Makes the shards of this process's task."""
    if settings.vocabulary_only:
        print(f"Vocabulary: {plan.vocabulary}.")
        return
    index = settings.task_index if is_task else 0
    count = settings.task_count if is_task else 1
    encode_task(plan, index, count, settings.workers, progress)
    if is_task:
        print(f"Task {index} of {count} is complete: {plan.directory}.")


def plan_to_merge(parts_dir):
    """The plan of the tasks to merge."""
    plan = CorpusPlan.load(parts_dir)
    if plan is None:
        raise ValueError(
            f"There is nothing to merge in {parts_dir}. Run the tasks first, "
            "or pass the tasks' --parts_dir or --output_dir."
        )
    return plan


def check_vocabulary_is_there(settings, parts_dir):
    """Raises if there is no vocabulary that the tasks can share."""
    if settings.vocabulary is None and not any(parts_dir.glob("*.model")):
        raise ValueError(
            f"There is no vocabulary in {parts_dir} yet. First run the same "
            "command with --vocabulary_only on one machine, or pass "
            "--vocabulary."
        )


def report(output_dir, manifest):
    """Prints statistics of the store, and what was omitted."""
    counts = manifest["report"]
    print(
        f"{output_dir}: {manifest['num_documents']:,} documents, "
        f"{manifest['num_sentences']:,} sentences, "
        f"{manifest['num_tokens']:,} tokens of "
        f"{manifest['vocabulary_size']:,} pieces "
        f"({manifest['unknown_rate']:.2%} unknown). "
        f"Unigram entropy {manifest['unigram_entropy']:.2f} nats.\n"
        f"Of {counts['documents_read']:,} documents read, "
        f"{counts['documents_too_short']:,} were too short and "
        f"{counts['duplicates_removed']:,} were duplicates; "
        f"{counts['bad_texts_skipped']:,} unreadable texts were skipped."
    )
    encoded = max(manifest["num_tokens"], 1)
    print(
        f"Vocabulary: {encoded / max(counts['words'], 1):.2f} pieces per word, "
        f"{counts['characters'] / encoded:.2f} characters per piece, "
        f"{manifest['unused_pieces']:,} pieces unused. Longest: "
        f"{', '.join(counts['longest_pieces'][:8])}."
    )
    if counts["common_unknown"]:
        unknown = "  ".join(text for text, _ in counts["common_unknown"][:12])
        print(f"Most frequent unknown text in a sample: {unknown}")


if __name__ == "__main__":
    main()
