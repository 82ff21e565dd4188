"""A run's directory records its starts: time, machine and versions."""

import datetime
import platform

import keras
import numpy as np
import pytest

import albert_keras
from albert_keras.training.runs.run_history import add_start, read_starts


def test_each_start_is_added_with_time_machine_and_versions(tmp_path):
    assert read_starts(tmp_path) == []
    before = datetime.datetime.now(datetime.timezone.utc)
    add_start(tmp_path, 0)
    add_start(tmp_path, 40)
    first, second = read_starts(tmp_path)
    assert (first["first_step"], second["first_step"]) == (0, 40)
    assert first["ranks"] == 1 and first["backend"] == keras.backend.backend()
    time = datetime.datetime.fromisoformat(first["time"])
    assert abs((time - before).total_seconds()) < 60
    versions = first["versions"]
    assert versions["python"] == platform.python_version()
    assert versions["keras"] == keras.__version__
    assert versions["numpy"] == np.__version__
    assert versions["albert-keras"] == albert_keras.__version__


@pytest.mark.parametrize("text", ["[", "[1]", "{}x", '[{"time": 1}]'])
def test_a_damaged_file_is_told_by_name(tmp_path, text):
    (tmp_path / "starts.json").write_text(text)
    with pytest.raises(ValueError, match="starts.json is damaged"):
        read_starts(tmp_path)
