"""Downloads corpora from a hub that is a local folder."""

import hashlib
import shutil
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from albert_keras.data import TokenStore
from tests.conftest import make_text

WIKIPEDIA = "20231101.en"
BOOKS = "plain_text/train"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Files in the formats of the corpora, and the downloads of them."""
    root = tmp_path / "hub"
    texts = make_text(60).strip().split("\n\n")
    columns = {"id": [str(n) for n in range(60)], "title": texts, "text": texts}
    for part in (0, 1):
        path = root / f"wikimedia/wikipedia/{WIKIPEDIA}/train-{part}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = {n: c[part * 30 : part * 30 + 30] for n, c in columns.items()}
        pyarrow.parquet.write_table(pyarrow.table(rows), path)
    sentences = " ".join(texts).replace("\n", " ").lower().split(". ")
    path = root / f"bookcorpus/bookcorpus/{BOOKS}/0000.parquet"
    path.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.table({"text": sentences}), path)
    fetched = []

    def dataset_info(self, repository, revision, files_metadata):
        folder = root / repository
        return SimpleNamespace(
            siblings=[
                SimpleNamespace(
                    rfilename=str(path.relative_to(folder)),
                    size=path.stat().st_size,
                    lfs=SimpleNamespace(
                        sha256=hashlib.sha256(path.read_bytes()).hexdigest()
                    ),
                )
                for path in folder.rglob("*.parquet")
            ]
        )

    def download(repository, name, repo_type, revision, local_dir):
        target = local_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / repository / name, target)
        fetched.append(name)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return SimpleNamespace(root=root, fetched=fetched, sentences=sentences)


def test_both_corpora_arrive_and_become_a_store(
    hub, recipe, tmp_path, corpus, capsys
):
    recipe("download_corpora").main(["--output_dir", str(tmp_path / "c")])
    shown = capsys.readouterr().out
    assert "License: CC BY-SA 3.0" in shown and "License: none" in shown
    assert shown.index("License") < shown.index("To download")
    recipe("prepare_corpus").main(
        [
            "--input",
            str(tmp_path / "c"),
            "--sentence_rows",
            "*/bookcorpus/*",
            "--rows_per_document",
            "50",
            "--vocabulary",
            str(corpus / "vocabulary.model"),
            "--output_dir",
            str(tmp_path / "store"),
        ]
    )
    manifest = TokenStore(tmp_path / "store").manifest
    books = int(np.ceil(len(hub.sentences) / 50))
    assert manifest["num_documents"] == 60 + books


def test_a_dry_run_tells_and_fetches_nothing(hub, recipe, tmp_path, capsys):
    recipe("download_corpora").main(
        ["--output_dir", str(tmp_path / "c"), "--dry_run"]
    )
    assert "2 files, 0.0 GB" in capsys.readouterr().out
    assert not hub.fetched and not (tmp_path / "c").exists()


def test_what_is_there_is_not_fetched_again(hub, recipe, tmp_path):
    argv = ["--output_dir", str(tmp_path / "c"), "--corpora", "wikipedia"]
    recipe("download_corpora").main(argv)
    lost = tmp_path / f"c/wikipedia/{WIKIPEDIA}/train-1.parquet"
    lost.unlink()
    recipe("download_corpora").main(argv)
    assert [name[-9:] for name in hub.fetched] == [
        "0.parquet",
        "1.parquet",
        "1.parquet",
    ]


def test_a_damaged_file_is_removed_and_named(
    hub, recipe, tmp_path, monkeypatch
):
    argv = ["--output_dir", str(tmp_path / "c"), "--corpora", "wikipedia"]
    download = huggingface_hub.hf_hub_download

    def damage(repository, name, **kwargs):
        download(repository, name, **kwargs)
        path = kwargs["local_dir"] / name
        path.write_bytes(path.read_bytes()[:-1] + b"\0")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", damage)
    with pytest.raises(SystemExit, match="train-0.parquet is damaged"):
        recipe("download_corpora").main(argv)
    assert not list((tmp_path / "c").rglob("*.parquet"))


def test_without_a_network_it_says_so_and_what_to_do(
    recipe, tmp_path, monkeypatch
):
    def fail(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", fail)
    message = "could not be downloaded.*no route.*Check the network.*elsewhere"
    with pytest.raises(SystemExit, match=message):
        recipe("download_corpora").main(["--output_dir", str(tmp_path)])


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    hub, recipe, tmp_path, monkeypatch
):
    module = recipe("download_corpora")
    monkeypatch.setattr(
        module.shutil, "disk_usage", lambda place: SimpleNamespace(free=10)
    )
    with pytest.raises(SystemExit, match="Free some space or pass another"):
        module.main(["--output_dir", str(tmp_path / "c")])
    assert not hub.fetched


def test_a_language_that_is_not_there_is_refused(hub, recipe, tmp_path):
    with pytest.raises(SystemExit, match="no Parquet files in 20231101.xx"):
        recipe("download_corpora").main(
            ["--output_dir", str(tmp_path), "--wikipedia_language", "xx"]
        )
