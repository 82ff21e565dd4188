"""Files and directories are written atomically."""

import pytest

from albert_keras.files.atomic_write import atomic_directory, atomic_file


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_directory_replaces_its_predecessor_as_a_whole(tmp_path):
    for name in ("first", "second"):
        with atomic_directory(tmp_path / "deep" / "target") as directory:
            (directory / f"{name}.txt").write_text(name)
    assert contents(tmp_path) == {"deep/target/second.txt": "second"}


def test_a_directory_that_fails_leaves_its_predecessor(tmp_path):
    with atomic_directory(tmp_path / "target") as directory:
        (directory / "a.txt").write_text("a")
    with pytest.raises(RuntimeError):
        with atomic_directory(tmp_path / "target") as directory:
            (directory / "b.txt").write_text("b")
            raise RuntimeError
    assert contents(tmp_path) == {"target/a.txt": "a"}


def test_a_file_that_fails_leaves_its_predecessor(tmp_path):
    with atomic_file(tmp_path / "a.txt") as file:
        file.write("old")
    with pytest.raises(RuntimeError):
        with atomic_file(tmp_path / "a.txt") as file:
            file.write("new")
            raise RuntimeError
    assert contents(tmp_path) == {"a.txt": "old"}
    with atomic_file(tmp_path / "a.txt") as file:
        file.write("new")
    assert contents(tmp_path) == {"a.txt": "new"}


def test_others_may_read_what_was_written(tmp_path):
    with atomic_directory(tmp_path / "target") as directory:
        with atomic_file(directory / "a.txt") as file:
            file.write("a")
    assert (tmp_path / "target").stat().st_mode & 0o055
    assert (tmp_path / "target" / "a.txt").stat().st_mode & 0o044
