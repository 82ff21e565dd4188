"""Benchmarks: FLOPs, comparisons, padding and waiting times."""

import importlib
import json
import time
from pathlib import Path

import pytest

from albert_keras import AlbertConfig

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """A function that imports a benchmark by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


# Millions per token, counted independently (2 per multiply-add).
@pytest.mark.parametrize(
    ("size", "length", "predictions", "expected"),
    [
        ("base", 128, 20, 528.1),
        ("base", 512, 76, 570.3),
        ("large", 128, 20, 1854.2),
        ("xlarge", 512, 20, 7552.3),
        ("xxlarge", 512, 76, 14804.7),
    ],
)
def test_the_flops_of_training_are_the_models(
    benchmark, size, length, predictions, expected
):
    flops = benchmark("pretraining_step").training_flops(
        AlbertConfig.from_size(size), length, predictions
    )
    assert round(flops / 1e6, 1) == expected


@pytest.fixture
def figures(tmp_path):
    """A function that writes the JSON of a benchmark with a given speed."""

    def write(name, speed):
        result = dict(
            contestant="albert_keras",
            size="base",
            precision="float32",
            shape="8x128",
            tokens_per_second=speed,
        )
        path = tmp_path / name
        path.write_text(json.dumps({"results": [result]}))
        return str(path)

    return write


@pytest.mark.parametrize(("speed", "status"), [(89.0, 1), (91.0, 0)])
def test_a_loss_of_more_than_a_tenth_is_seen(
    benchmark, figures, capsys, speed, status
):
    compare = benchmark("compare").main
    paths = [figures("before.json", 100.0), figures("after.json", speed)]
    assert compare(paths) == status
    assert ("SLOWER" in capsys.readouterr().out) == bool(status)


def test_other_files_are_no_figures_to_compare(benchmark, figures, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("[]")
    with pytest.raises(SystemExit, match="other.json is not the JSON"):
        benchmark("compare").main([figures("before.json", 1.0), str(other)])


@pytest.mark.slow
@pytest.mark.process
def test_an_update_is_measured_beside_the_products(benchmark, tmp_path):
    path = tmp_path / "step.json"
    benchmark("pretraining_step").main(
        f"--sizes tiny --precisions float32 --shapes 2x32 --rounds 1 --steps 2 "
        f"--only albert_keras --json {path}".split()
    )
    (result,) = json.loads(path.read_text())["results"]
    assert len(result["seconds"]) == 2
    assert result["tokens_per_second"] > 0
    assert result["share_of_ceiling"] > 0


@pytest.mark.parametrize(
    ("width", "expected"), [(None, [(2, 7), (1, 3)]), (9, [(2, 9), (1, 9)])]
)
def test_other_packages_pad_a_batch_to_its_longest_or_as_they_are_told(
    benchmark, width, expected
):
    batches = benchmark("contestants.batches").inference_batches(
        {"lengths": [7, 4, 3], "rows": 2, "width": width}
    )
    assert [batch["token_ids"].shape for batch in batches] == expected
    assert [batch["padding_mask"].sum() for batch in batches] == [11, 3]


@pytest.mark.heavy
@pytest.mark.slow
def test_time_to_make_batches_counts_as_waiting(
    benchmark, corpus, tmp_path, monkeypatch
):
    waiting = benchmark("waiting")
    make = waiting.ak.data.PretrainingDataset.__getitem__

    def slowly(self, index):
        time.sleep(0.05)
        return make(self, index)

    monkeypatch.setattr(
        waiting.ak.data.PretrainingDataset, "__getitem__", slowly
    )
    path = tmp_path / "waiting.json"
    waiting.main(
        f"--data_dir {corpus} --size tiny --length 32 --rows 2 --updates 3 "
        f"--seconds 10 --json {path}".split()
    )
    results = json.loads(path.read_text())["results"]
    assert 0.05 <= results["batch_seconds"] < 1
    assert results["share"] == pytest.approx(
        results["batch_seconds"] / results["update_seconds"]
    )
    assert results["share_elsewhere"] == results["batch_seconds"] / 10


@pytest.mark.heavy
@pytest.mark.slow
def test_texts_are_measured_next_to_their_ids(benchmark, corpus, tmp_path):
    path = tmp_path / "texts.json"
    benchmark("texts").main(
        f"--vocabulary {corpus}/vocabulary.model --size tiny --texts 20 "
        f"--rounds 1 --batch_size 8 --json {path}".split()
    )
    results = json.loads(path.read_text())["results"]
    assert results["same_bits"]
    assert results["share"] == pytest.approx(
        results["seconds"]["predict"][0] / results["seconds"]["classify"][0]
    )
