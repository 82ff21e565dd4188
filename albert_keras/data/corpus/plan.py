"""The plan of a corpus: its files, chunks and settings.

It is written before the work begins, into the work directory
`OUTPUT_DIR.parts` next to the finished shards, so that an interrupted run can
resume and several machines can share the chunks.
"""

import dataclasses
import fnmatch
import json
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from albert_keras.data.reading.documents import split_into_chunks
from albert_keras.data.reading.file_chunk import FileChunk
from albert_keras.files.atomic_write import atomic_file
from albert_keras.files.strict_json import parse_json

PLAN_FILE = "plan.json"
PLAN_VERSION = 2
_CHUNKS = "chunks"
SHARD_FILE = "shard.json"
VOCABULARY_FILE = "vocabulary.model"
_EDGE = 1 << 16  # bytes at each end of a file that identify its content
_COMPRESSION_RATIO = 4  # an estimate
_FILES_PER_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """Settings that determine how text becomes tokens.

    Attributes:
        lowercase, remove_accents: See `normalize_text`.
        language: Language of the sentence rules, see `sentence_splitter`.
        min_characters: Documents with fewer characters are dropped.
        deduplicate: "none"; "exact" drops documents that repeat the
            normalized text of an earlier one; "near" also drops those that
            share four fifths of their 5-token shingles with an earlier one.
        on_bad_text: "fail" at text that is not UTF-8 or has no `text` field,
            or "skip" it.
        sentence_rows: Glob patterns of files with one sentence per row.
        rows_per_document: Number of such rows in a document.
        shard_megabytes: Text per shard, the most that an interruption loses.
        text_field: Field or column of the text in JSON lines and Parquet.
    """

    lowercase: bool = True
    remove_accents: bool = True
    language: str | None = None
    min_characters: int = 0
    deduplicate: str = "none"
    on_bad_text: str = "fail"
    sentence_rows: tuple[str, ...] = ()
    rows_per_document: int = 256
    shard_megabytes: float = 8.0
    text_field: str = "text"

    def __post_init__(self):
        for name, allowed in (
            ("deduplicate", ("none", "exact", "near")),
            ("on_bad_text", ("fail", "skip")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(allowed)}. "
                    f"Received: {getattr(self, name)!r}."
                )
        for name in ("rows_per_document", "shard_megabytes"):
            if getattr(self, name) <= 0:
                raise ValueError(
                    f"`{name}` must be above 0. "
                    f"Received: {getattr(self, name)}."
                )
        object.__setattr__(self, "sentence_rows", tuple(self.sentence_rows))

    @property
    def shard_bytes(self) -> int:
        return int(self.shard_megabytes * 1e6)

    def rows_in_document(self, path: str) -> int:
        """Returns how many rows of a file form a document."""
        matches = (fnmatch.fnmatch(path, p) for p in self.sentence_rows)
        return self.rows_per_document if any(matches) else 1


class CorpusPlan:
    """The files, split into chunks, and the settings.

    Args:
        directory: The work directory.
        record: Content of `plan.json`.

    Attributes:
        chunks: The `FileChunk`s of each chunk of the corpus: a part of a
            file, or many small files.
        lock: Descriptor of the file that this run has locked, or None.
    """

    lock: int | None = None

    def __init__(self, directory: str | Path, record: dict[str, Any]) -> None:
        self.directory = Path(directory)
        self.settings = TextSettings(**record["settings"])
        paths = [file["path"] for file in record["files"]]
        self.chunks = [
            [FileChunk(paths[file], *fields) for file, *fields in chunk]
            for chunk in record.pop(_CHUNKS)
        ]
        self.record = record

    @classmethod
    def load(cls, directory: str | Path) -> "CorpusPlan | None":
        """Loads the plan of an earlier run; None if there is none.

        Raises:
            ValueError: If the plan is damaged or of another version.
        """
        path = Path(directory) / PLAN_FILE
        if not path.is_file():
            return None
        try:
            record = parse_json(path.read_text("utf-8"))
            version = record.get("version", 1)
            if version == PLAN_VERSION:
                return cls(directory, record)
        except (
            *(ValueError, KeyError, TypeError),
            *(AttributeError, IndexError),
        ) as error:
            raise ValueError(
                f"{path} is damaged: {error!r}. Remove {directory} and start "
                "over."
            ) from error
        raise ValueError(
            f"{path} has version {version!r:.60}, this package reads "
            f"{PLAN_VERSION}: the versions divide text into documents in "
            "different ways. Finish with the package that began, or remove "
            f"{directory} and start over."
        )

    @classmethod
    def begin(
        cls,
        directory: str | Path,
        files: Sequence[Path],
        settings: TextSettings,
        vocabulary: Any,
    ) -> "CorpusPlan":
        """Writes a new plan, or returns the existing one if it is the same.

        Args:
            directory: The work directory; created if it does not exist.
            files: Paths of the texts.
            settings: `TextSettings`.
            vocabulary: JSON value that identifies the vocabulary.

        Raises:
            ValueError: If the directory holds the work of another corpus.
        """
        record = {
            "version": PLAN_VERSION,
            "settings": dataclasses.asdict(settings),
            "vocabulary": vocabulary,
        }
        record = json.loads(json.dumps(record))
        record["files"] = [_describe(path) for path in files]
        plan = cls.load(directory)
        if plan is None:
            record[_CHUNKS] = _split(files, settings)
            with atomic_file(Path(directory) / PLAN_FILE) as file:
                json.dump(record, file)
            return cls(directory, record)
        for name, value in record.items():
            if plan.record[name] != value:
                raise ValueError(
                    f"{directory} holds parts of a corpus with other "
                    f"{name}: {_difference(plan.record[name], value)}. Pass "
                    "the earlier ones to resume, or remove that directory to "
                    "start over."
                )
        return plan

    @property
    def vocabulary(self) -> Path:
        return self.directory / VOCABULARY_FILE

    @property
    def size(self) -> int:
        """Total bytes of the files."""
        return sum(file["bytes"] for file in self.record["files"])

    @property
    def text_size(self) -> int:
        """Estimated total bytes of the decompressed text."""
        packed = {
            part.path
            for chunk in self.chunks
            for part in chunk
            if part.compression
        }
        return sum(
            file["bytes"]
            * (_COMPRESSION_RATIO if file["path"] in packed else 1)
            for file in self.record["files"]
        )

    def task_chunks(self, task_index: int, task_count: int) -> range:
        """Numbers of the chunks of one task; chunks are dealt out evenly."""
        return range(task_index, len(self.chunks), task_count)

    # === Finished shards ===

    def shard_directory(self, number: int, part: int) -> Path:
        """Directory of a shard of a chunk."""
        return self.directory / "shards" / f"{number:06d}-{part:04d}"

    def finished(self, number: int) -> list[dict[str, Any]]:
        """Reads the records of the finished shards of a chunk."""
        records = []
        while True:
            path = self.shard_directory(number, len(records)) / SHARD_FILE
            if not path.is_file():
                return records
            records.append(parse_json(path.read_text("utf-8")))

    def is_finished(self, number: int) -> bool:
        records = self.finished(number)
        return bool(records) and records[-1]["is_last"]

    def remove(self) -> None:
        """Removes the work directory atomically."""
        self.directory.rename(self._removal_path)
        shutil.rmtree(self._removal_path)

    @property
    def _removal_path(self):
        return self.directory.with_name(f".tmp-{self.directory.name}")

    def remove_unfinished(self) -> None:
        """Removes what a killed process left half written or half removed."""
        shutil.rmtree(self._removal_path, ignore_errors=True)
        for directory in (self.directory, self.directory / "shards"):
            for path in directory.glob(".tmp-*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _split(files, settings):
    """Splits files into chunks; small files share one.

    Returns:
        For each chunk of the corpus, the fields of its `FileChunk`s, with the
        number of the file in place of the path.
    """
    chunks, size, kind = [], 0, None
    for number, path in enumerate(files):
        parts = split_into_chunks(
            path, settings.shard_bytes, settings.text_field
        )
        for part in parts:
            part_size = Path(path).stat().st_size // len(parts)
            if part.compression:
                part_size *= _COMPRESSION_RATIO
            # A damaged compressed file takes no others with it.
            part_kind = bool(part.compression), part.format == "parquet"
            size += part_size
            if (
                not chunks
                or kind != part_kind
                or size > settings.shard_bytes
                or len(chunks[-1]) == _FILES_PER_CHUNK
            ):
                chunks.append([])
                size, kind = part_size, part_kind
            chunks[-1].append(
                (number, part.start, part.end, part.format, part.compression)
            )
    return chunks


def _describe(path):
    """Returns a file's path, size and the checksum of its ends."""
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        checksum = zlib.crc32(file.read(_EDGE))
        file.seek(max(size - _EDGE, 0))
        checksum = zlib.crc32(file.read(_EDGE), checksum)
    return {"path": str(path), "bytes": size, "ends": checksum}


def _difference(before, now):
    if isinstance(before, dict) and isinstance(now, dict):
        parts = [
            f"{name} {before.get(name)!r} then, {now.get(name)!r} now"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
        ]
        return "; ".join(parts)
    if isinstance(before, list) and isinstance(now, list):
        changed = [file for file in now if file not in before]
        changed += [file for file in before if file not in now]
        return ", ".join(sorted({file["path"] for file in changed}))
    return f"{before!r} then, {now!r} now"
