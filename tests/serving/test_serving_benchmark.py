"""The benchmark of the server checks every answer and counts batches."""

import importlib
import json

import pytest

from tests.processes import ROOT

pytestmark = [pytest.mark.heavy, pytest.mark.process]


@pytest.mark.slow
def test_a_server_is_measured_next_to_its_runtime(
    export_of, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    _, directory = export_of(num_classes=3, class_names=("a", "b", "c"))
    path = tmp_path / "serving.json"
    importlib.import_module("serving").main(
        f"--export {directory} --requests 30 --clients 4 --words 8 --batch 4 "
        f"--rounds 1 --threads 1 --json {path}".split()
    )
    results = json.loads(path.read_text())["results"]
    assert results["share"] == pytest.approx(
        results["runtime_seconds"][0] / results["server_seconds"][0]
    )
    assert 1 <= results["mean_batch"] <= 4
