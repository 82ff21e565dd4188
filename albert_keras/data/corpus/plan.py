"""What a corpus is made of and how: the work, written down before it begins.

The plan lies in the folder of the parts, `OUTPUT_DIR.parts`, beside the
shards that are finished, so that a run that was interrupted goes on and
several machines share the chunks out.
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
_CHUNKS = "stretches"  # in plan.json, which an earlier version may have written
SHARD_FILE = "shard.json"
VOCABULARY_FILE = "vocabulary.model"
_EDGE = 1 << 16  # bytes at both ends of a file that stand for its content


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """How text becomes tokens.

    Attributes:
        lowercase, remove_accents: See `normalize_text`.
        language: Of the rules for sentences, see `sentence_splitter`.
        min_characters: Shorter documents are left out.
        deduplicate: "none"; "exact" leaves out documents whose normalized
            text came before; "near" also those that share four fifths of
            their runs of five pieces with an earlier one.
        on_bad_text: "fail" at text that is not UTF-8 or has no `text` field,
            or "skip" it.
        sentence_rows: Glob patterns of files of which each row is a sentence.
        rows_per_document: How many such rows make a document.
        shard_megabytes: Text in a shard, which is what an interruption may
            lose.
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

    def rows_of(self, path: str) -> int:
        """How many rows of a file make a document."""
        matches = (fnmatch.fnmatch(path, p) for p in self.sentence_rows)
        return self.rows_per_document if any(matches) else 1


class CorpusPlan:
    """The files, cut into chunks, and the settings.

    Args:
        directory: Folder of the parts.
        record: What was written as JSON.

    Attributes:
        lock: Handle of the file that this run holds a lock on, or None.
    """

    lock = None

    def __init__(self, directory: str | Path, record: dict[str, Any]) -> None:
        self.directory = Path(directory)
        self.record = record
        self.settings = TextSettings(**record["settings"])
        self.chunks = [FileChunk(*fields) for fields in record[_CHUNKS]]

    @classmethod
    def load(cls, directory: str | Path) -> "CorpusPlan | None":
        """The plan that an earlier run wrote; None where there is none.

        Raises:
            ValueError: If it is damaged.
        """
        path = Path(directory) / PLAN_FILE
        if not path.is_file():
            return None
        try:
            return cls(directory, parse_json(path.read_text("utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is damaged: {error!r}. Remove {directory} and start "
                "again."
            ) from error

    @classmethod
    def begin(
        cls,
        directory: str | Path,
        files: Sequence[Path],
        settings: TextSettings,
        vocabulary: Any,
    ) -> "CorpusPlan":
        """A new plan, or the one that is there if it is the same.

        Args:
            directory: Folder of the parts, made if need be.
            files: Paths of the texts.
            settings: `TextSettings`.
            vocabulary: What determines the vocabulary, for JSON.

        Raises:
            ValueError: If the folder holds parts of something else.
        """
        record = {
            "settings": dataclasses.asdict(settings),
            "vocabulary": vocabulary,
            "files": [_describe(path) for path in files],
        }
        record = json.loads(json.dumps(record))
        plan = cls.load(directory)
        if plan is None:
            record[_CHUNKS] = [
                dataclasses.astuple(chunk)
                for path in files
                for chunk in split_into_chunks(path, settings.shard_bytes)
            ]
            with atomic_file(Path(directory) / PLAN_FILE) as file:
                json.dump(record, file)
            return cls(directory, json.loads(json.dumps(record)))
        for name, value in record.items():
            if plan.record[name] != value:
                raise ValueError(
                    f"{directory} holds parts of a corpus with other "
                    f"{name}: {_difference(plan.record[name], value)}. Pass "
                    "the same as then to go on, or remove that folder to "
                    "start anew."
                )
        return plan

    @property
    def vocabulary(self) -> Path:
        return self.directory / VOCABULARY_FILE

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file["bytes"] for file in self.record["files"])

    def task_chunks(self, task_index: int, task_count: int) -> range:
        """The chunks of one of several tasks, evenly."""
        return range(task_index, len(self.chunks), task_count)

    # === Finished shards ===

    def shard_directory(self, number: int, part: int) -> Path:
        """Where a shard of a chunk goes."""
        return self.directory / "shards" / f"{number:06d}-{part:04d}"

    def finished(self, number: int) -> list[dict[str, Any]]:
        """What the finished shards of a chunk tell of themselves."""
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
        """Removes the folder of the parts, in one moment for who looks."""
        self.directory.rename(self._removed)
        shutil.rmtree(self._removed)

    @property
    def _removed(self):
        return self.directory.with_name(f".tmp-{self.directory.name}")

    def remove_unfinished(self) -> None:
        """Removes what a killed process left half written or removed."""
        shutil.rmtree(self._removed, ignore_errors=True)
        for place in (self.directory, self.directory / "shards"):
            for path in place.glob(".tmp-*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _describe(path):
    """A file's name, size and the checksum of its ends."""
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
