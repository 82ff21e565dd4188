"""Archives, run directories and hubs as sources of pretrained models."""

import errno
import io
import shutil
import tarfile

import huggingface_hub
import numpy as np
import pytest

import albert_keras as ak
from albert_keras.conversion import local_directory
from albert_keras.conversion.sources import newest_model
from albert_keras.files.storage_errors import StorageError
from tests.conversion.test_round_trips import CONFIG
from tests.formats import NO_KERAS_HUB
from tests.full_disk import only_small_files


@pytest.fixture
def backbone():
    return ak.AlbertBackbone.from_config(CONFIG)


def assert_same_weights(mine, theirs):
    for one, other in zip(
        mine.get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


# === Google's archive ===


@pytest.fixture
def archive(backbone, tmp_path):
    backbone.save_pretrained(tmp_path / "albert_small", format="google")
    path = tmp_path / "albert_small.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "albert_small", arcname="albert_small")
    shutil.rmtree(tmp_path / "albert_small")
    return path


def test_googles_archive_is_read_as_it_is(archive, backbone, tmp_path):
    assert_same_weights(ak.AlbertBackbone.from_pretrained(archive), backbone)
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_nothing_in_an_archive_is_written_outside_of_it(
    archive, backbone, tmp_path
):
    hostile = tmp_path / "hostile.tar.gz"
    with tarfile.open(archive) as source, tarfile.open(hostile, "w") as tar:
        for member in source.getmembers():
            if member.isfile():
                member.name = f"../../{member.name}"
                file = source.extractfile(member)
                tar.addfile(member, io.BytesIO(file.read()))
        link = tarfile.TarInfo("albert_small/30k-clean.model")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = sorted(tmp_path.parent.rglob("*"))
    assert_same_weights(ak.AlbertBackbone.from_pretrained(hostile), backbone)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_truncated_archive_is_refused(archive):
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        ak.AlbertBackbone.from_pretrained(archive)


def test_an_archive_whose_content_was_changed_is_refused(archive):
    whole = bytearray(archive.read_bytes())
    whole[20:40] = bytes(20)
    archive.write_bytes(whole)
    with pytest.raises(ValueError, match="damaged"):
        ak.AlbertBackbone.from_pretrained(archive)


def test_an_archive_without_room_to_unpack_it_is_not_damaged(archive):
    message = "model.*cannot be written: .* It needs .* are free. Make room, or"
    with pytest.raises(StorageError, match=f"{message} set TMPDIR"):
        with only_small_files(1000):
            ak.AlbertBackbone.from_pretrained(archive)


def test_an_archive_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with tarfile.open(tmp_path / "notes.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "notes.txt", arcname="notes.txt")
    with pytest.raises(ValueError, match="not a release of ALBERT"):
        ak.AlbertBackbone.from_pretrained(tmp_path / "notes.tar.gz")


# === Run directories ===


def test_a_run_directory_stands_for_its_newest_model(backbone, tmp_path):
    for step in (9, 10):
        backbone.save_pretrained(tmp_path / "checkpoints" / f"step-{step}")
    (tmp_path / "checkpoints" / ".tmp-step-11").mkdir()
    with local_directory(tmp_path) as directory:
        assert directory.name == "step-10"
    assert_same_weights(ak.AlbertBackbone.from_pretrained(tmp_path), backbone)


# === Hubs ===


def test_a_handle_of_the_hugging_face_hub_is_fetched_at_its_revision(
    backbone, tmp_path, monkeypatch
):
    backbone.save_pretrained(tmp_path / "hub", format="huggingface")
    asked = {}

    def snapshot_download(repository, revision, allow_patterns):
        asked.update(repository=repository, revision=revision)
        assert "spiece.model" in allow_patterns
        assert not any(".bin" in pattern for pattern in allow_patterns)
        return str(tmp_path / "hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    loaded = ak.AlbertBackbone.from_pretrained("hf://albert/albert-base@v2")
    assert_same_weights(loaded, backbone)
    assert asked == {"repository": "albert/albert-base", "revision": "v2"}


def test_without_a_network_a_handle_says_so_and_names_the_way_out(
    monkeypatch,
):
    def snapshot_download(*args, **kwargs):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(
        ValueError, match="albert-base-v2 could not be.*not known.*directory"
    ):
        ak.AlbertTokenizer.from_pretrained("hf://albert/albert-base-v2")


def test_a_download_without_room_for_it_names_the_disk(monkeypatch):
    def snapshot_download(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(StorageError, match="disk is full .*set HF_HOME to"):
        ak.AlbertTokenizer.from_pretrained("hf://albert/albert-base-v2")


def test_without_a_network_a_preset_of_kerashub_says_so(monkeypatch):
    keras_hub = pytest.importorskip("keras_hub", reason=NO_KERAS_HUB)

    def from_preset(name):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(
        keras_hub.models.AlbertBackbone, "from_preset", from_preset
    )
    with pytest.raises(ValueError, match="could not be fetched.*directory"):
        ak.AlbertBackbone.from_pretrained("albert_base_en_uncased")
    with pytest.raises(ValueError, match="albert_base_en_uncased"):
        ak.AlbertBackbone.from_pretrained("albert_huge")


def test_a_run_whose_checkpoints_are_elsewhere_has_its_model(tmp_path):
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    assert newest_model(run) == run
    (run / "model" / "albert_keras.json").write_text("{}")
    assert newest_model(run) == run / "model"
    checkpoint = run / "checkpoints" / "step-00000001"
    checkpoint.mkdir(parents=True)
    (checkpoint / "albert_keras.json").write_text("{}")
    assert newest_model(run) == checkpoint
