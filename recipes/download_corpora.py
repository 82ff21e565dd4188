"""Fetches English Wikipedia and BookCorpus, the texts of ALBERT.

    python recipes/download_corpora.py --output_dir corpora --dry_run
    python recipes/download_corpora.py --output_dir corpora

Parquet files from the Hugging Face Hub, onto a folder or a mounted FSx. Tells
size and licence first; goes on where it was interrupted; compares size and
checksum of what arrived, and looks whether it can be read. Then, for example:

    python recipes/prepare_corpus.py --input corpora --output_dir corpus \
        --sentence_rows '*/bookcorpus/*'

(BookCorpus has a sentence in each row and nothing between the books.) Other
languages: `--wikipedia_language de`. Needs huggingface_hub and pyarrow.
"""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from albert_keras.data.reading.documents import split_into_chunks
from albert_keras.files.atomic_write import atomic_file
from albert_keras.files.safe_path import inside_directory
from albert_keras.workflows.parse_settings import run_recipe

RECORD = ".download.json"  # hidden: no text
_BLOCK = 1 << 22


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Where a corpus is.

    Attributes:
        repository, revision, folder: On the Hugging Face Hub.
        licence: What its page says.
    """

    repository: str
    revision: str
    folder: str
    licence: str


@dataclasses.dataclass(frozen=True)
class Settings:
    """Fetches English Wikipedia and BookCorpus."""

    output_dir: str
    """Folder for the files, one below it for each corpus."""

    corpora: tuple[Literal["wikipedia", "bookcorpus"], ...] = (
        "wikipedia",
        "bookcorpus",
    )
    """Which to fetch."""

    wikipedia_language: str = "en"
    """Language of Wikipedia."""

    wikipedia_date: str = "20231101"
    """Date of its dump."""

    dry_run: bool = False
    """Say what would be fetched, and stop."""

    def sources(self):
        """The `Corpus` of each name."""
        known = {
            "wikipedia": Corpus(
                "wikimedia/wikipedia",
                "main",
                f"{self.wikipedia_date}.{self.wikipedia_language}",
                "CC BY-SA 3.0 and GFDL: name the source, share alike",
            ),
            "bookcorpus": Corpus(
                "bookcorpus/bookcorpus",
                "refs/convert/parquet",
                "plain_text/train",
                "none stated: books of their authors, fetched from Smashwords;"
                " see to it that you may use them",
            ),
        }
        return {name: known[name] for name in self.corpora}


@dataclasses.dataclass(frozen=True)
class HubFile:
    """A file on the hub, with size in bytes and SHA-256 if it tells them."""

    name: str
    size: int
    sha256: str | None


def main(argv=None):
    return run_recipe("download_corpora", download, Settings, argv)


def download(settings):
    """Fetches what is missing and returns the folders by name."""
    output_dir = Path(settings.output_dir)
    plans = {}
    for name, corpus in settings.sources().items():
        files = list_files(corpus)
        plans[name] = (corpus, files)
        size = sum(file.size for file in files)
        print(
            f"{name}: {corpus.repository}, {corpus.folder}: {len(files)} "
            f"files, {size / 1e9:.1f} GB. Licence: {corpus.licence}."
        )
    check_room(output_dir, plans)
    if settings.dry_run:
        return {}
    for name, (corpus, files) in plans.items():
        fetch_corpus(corpus, files, output_dir / name)
        print(f"{output_dir / name}: whole, checksums and columns fit.")
    return {name: output_dir / name for name in plans}


def check_room(output_dir, plans):
    """Raises where the disk has too little room for what is missing."""
    missing = sum(
        file.size
        for name, (_, files) in plans.items()
        for file in files
        if not (output_dir / name / file.name).is_file()
    )
    place = output_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    print(f"To fetch: {missing / 1e9:.1f} GB; free: {free / 1e9:.1f} GB.")
    if missing > free:
        raise ValueError(
            f"{output_dir} has room for {free / 1e9:.1f} GB, "
            f"{missing / 1e9:.1f} GB are to be fetched. Make room or pass "
            "another --output_dir."
        )


def fetch_corpus(corpus, files, directory):
    """Fetches the files that are not there, and checks each."""
    record = read_record(directory)
    with tqdm(
        total=sum(file.size for file in files),
        unit="B",
        unit_scale=True,
        desc=directory.name,
    ) as bar:
        for file in files:
            path = inside_directory(directory, file.name, corpus.repository)
            if not path.is_file() or record.get(file.name) != file.sha256:
                if not path.is_file():
                    fetch(corpus, file, directory)
                check(file, path)
                record[file.name] = file.sha256
                with atomic_file(directory / RECORD) as noted:
                    json.dump(
                        {**dataclasses.asdict(corpus), "files": record},
                        noted,
                        indent=2,
                    )
            bar.update(file.size)


def read_record(directory):
    """Checksums of the files that were checked before."""
    path = directory / RECORD
    return json.loads(path.read_text())["files"] if path.is_file() else {}


def check(file, path):
    """Raises, and removes the file, where it is not what the hub has."""
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    found = digest.hexdigest()
    if size != file.size or file.sha256 not in (None, found):
        path.unlink()
        raise ValueError(
            f"{path} arrived damaged: {size:,} bytes with SHA-256 {found}, "
            f"expected {file.size:,} with {file.sha256}. It is removed: run "
            "the same command again."
        )
    split_into_chunks(path, None)  # raises where it has no `text`


# === The hub ===


def list_files(corpus):
    """The Parquet files of a corpus, in their order."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise ValueError(
            "Fetching needs huggingface_hub: pip install huggingface_hub."
        ) from error
    try:
        info = huggingface_hub.HfApi().dataset_info(
            corpus.repository, revision=corpus.revision, files_metadata=True
        )
    except Exception as error:  # of the hub, of the network
        raise ValueError(unreachable(corpus, error)) from error
    files = [
        HubFile(
            entry.rfilename,
            entry.size,
            entry.lfs.sha256 if entry.lfs else None,
        )
        for entry in info.siblings
        if entry.rfilename.startswith(corpus.folder + "/")
        and entry.rfilename.endswith(".parquet")
    ]
    if not files:
        folders = {e.rfilename.split("/")[0] for e in info.siblings}
        raise ValueError(
            f"{corpus.repository} has no Parquet files in {corpus.folder}. "
            f"It has {', '.join(sorted(folders)[:400])}."
        )
    return sorted(files, key=lambda file: file.name)


def fetch(corpus, file, directory):
    """Fetches a file; an interrupted one goes on where it was."""
    import huggingface_hub

    try:
        huggingface_hub.hf_hub_download(
            corpus.repository,
            file.name,
            repo_type="dataset",
            revision=corpus.revision,
            local_dir=directory,
        )
    except Exception as error:  # of the hub, of the network, of the disk
        raise ValueError(unreachable(corpus, error)) from error


def unreachable(corpus, error):
    return (
        f"{corpus.repository} could not be fetched from the Hugging Face Hub "
        f"({type(error).__name__}: {error}). Is there a network? What has "
        "arrived is kept: the same command goes on. Or fetch the folder "
        f"{corpus.folder} of revision {corpus.revision} elsewhere, and pass "
        "the Parquet files to prepare_corpus.py."
    )


if __name__ == "__main__":
    main()
