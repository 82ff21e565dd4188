"""Errors of the disk name the file, the space and the remedy."""

import errno
import os

import pytest
from safetensors import SafetensorError

from albert_keras.files.atomic_write import (
    append_text,
    atomic_directory,
    atomic_file,
    atomic_files,
)
from albert_keras.files.storage_errors import (
    StorageError,
    storage_errors_explained,
)
from tests.full_disk import only_small_files

ERRORS = [
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), errno.ENOSPC),
    (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), errno.EDQUOT),
    (OSError(errno.EROFS, os.strerror(errno.EROFS)), errno.EROFS),
    (SafetensorError("I/O error: any text (os error 28)"), errno.ENOSPC),
    (RuntimeError("HDF5: 'No space left on device'"), errno.ENOSPC),
    (OSError("No space left on device"), errno.ENOSPC),
]


@pytest.mark.parametrize("error, code", ERRORS, ids=str)
@pytest.mark.parametrize("write", [atomic_directory, atomic_files])
def test_every_librarys_error_of_a_full_disk_is_explained(
    write, error, code, tmp_path
):
    with pytest.raises(StorageError, match="target cannot be written") as found:
        with write(tmp_path / "target") as directory:
            (directory / "half").write_bytes(b"h" * 200_000)
            raise error
    assert found.value.errno == code and found.value.__cause__ is error
    message = str(found.value)
    if code != errno.EROFS:
        assert "needs more than 0.2 MB. " in message
        assert " are free. Make room" in message
    assert isinstance(found.value, OSError | ValueError)
    assert not list(tmp_path.rglob("*tmp*")) + list(tmp_path.rglob("half"))


def test_a_file_that_does_not_fit_is_removed_and_the_old_one_kept(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(StorageError, match="a.txt cannot be .*too large"):
        with only_small_files(1000), atomic_file(path) as file:
            file.write("x" * 100_000)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_line_that_does_not_fit_is_not_appended_in_part(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n")
    append_text(path, "1,2.5\n")
    with pytest.raises(StorageError, match="metrics.csv cannot be written"):
        with only_small_files(path.stat().st_size + 3):
            append_text(path, "2,2.25\n")
    assert path.read_text() == "step,loss\n1,2.5\n"


def test_other_errors_stay_what_they_are(tmp_path):
    elsewhere = PermissionError(errno.EACCES, "denied", "/somewhere/else")
    for error in (ValueError("bad"), elsewhere, OSError(errno.EIO, "broken")):
        with pytest.raises(type(error)) as found:
            with atomic_directory(tmp_path / "target"):
                raise error
        assert found.value is error
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is not a directory.*may write to"):
        with atomic_file(tmp_path / "file" / "a.txt"):
            pass


def test_the_first_remedy_from_outside_is_the_one_that_is_told(tmp_path):
    with pytest.raises(StorageError) as found:
        with (
            storage_errors_explained(tmp_path, remedy="The third."),
            storage_errors_explained(tmp_path, remedy="Do this."),
            atomic_directory(tmp_path / "target", needed=5_000_000),
        ):
            raise OSError(errno.ENOSPC, "full")
    with pytest.raises(StorageError, match="read-only.*that this process may"):
        with storage_errors_explained(tmp_path, remedy="Make room."):
            with atomic_directory(tmp_path / "target"):
                raise OSError(errno.EROFS, "read-only")
    message = str(found.value)
    assert message.endswith("free. Do this.") and "needs 5.0 MB. " in message
