"""The data of a resumed run are compared by content."""

import logging

import pytest

from albert_keras.data import PretrainingDataset, StagedDataset
from albert_keras.data.pretraining.google_records import (
    PretrainingRecords,
    write_pretraining_records,
)
from albert_keras.training.runs.same_data import (
    check_same_data,
    describe_files,
)


def test_a_changed_file_is_named_with_the_difference(tmp_path):
    path = tmp_path / "train.json"
    path.write_text("abc")
    earlier = {"train_file": describe_files(path)}
    check_same_data("step-1", earlier, {"train_file": describe_files(path)})
    moved = path.rename(tmp_path / "moved.json")
    check_same_data("step-1", earlier, {"train_file": describe_files(moved)})
    check_same_data("step-1", earlier, {"dev_file": describe_files(moved)})
    moved.write_text("abcd")
    message = (
        "step-1 was trained on other data than this: train_file .*moved.json: "
        "bytes 3 then, 4 now, sha256 .* then, .* now. Resume with the data"
    )
    with pytest.raises(ValueError, match=message):
        check_same_data(
            "step-1", earlier, {"train_file": describe_files(moved)}
        )


def test_a_folder_is_its_files_and_their_names(tmp_path):
    def describe():
        return describe_files(tmp_path, tmp_path.glob("*.txt"))["sha256"]

    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    first = describe()
    (tmp_path / "cache.npz").touch()
    assert describe() == first
    (tmp_path / "a.txt").rename(tmp_path / "c.txt")
    assert describe() != first


def test_what_an_earlier_version_saved_is_only_warned_of(caplog):
    now = {"corpus": {"path": "corpus", "tokens": 3}}
    for earlier in (None, {}):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            check_same_data("step-1", earlier, now)
        assert "step-1 has no checksums of its data" in caplog.text
    caplog.clear()
    check_same_data("step-1", now, now)
    assert not caplog.text


def test_datasets_describe_what_they_read(store, tmp_path):
    data = PretrainingDataset(store, sequence_length=16, batch_size=4)
    described = data.describe_data()
    assert described["corpus"]["tokens"] == store.manifest["num_tokens"]
    assert (
        described["corpus"]["tokens.bin"]
        == (store.manifest["files"]["tokens.bin"]["sha256"])
    )
    longer = PretrainingDataset(store, sequence_length=32, batch_size=4)
    assert StagedDataset([(data, 1), (longer, 1)]).describe_data() == described
    write_pretraining_records(tmp_path / "a.tfrecord", data, range(1))
    records = PretrainingRecords(tmp_path, batch_size=2)
    assert records.describe_data()["records"]["files"] == {
        "a.tfrecord": (tmp_path / "a.tfrecord").stat().st_size
    }
    staged = StagedDataset([(records, 1), (data, 1)]).describe_data()
    assert set(staged) == {"records of stage 1", "corpus of stage 2"}
