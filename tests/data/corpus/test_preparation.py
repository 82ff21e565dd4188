"""Parallel, interrupted and resumed preparations give the same store."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from albert_keras.data import TokenStore
from albert_keras.data.corpus import workers as workers_module
from albert_keras.data.corpus.prepare import (
    encode_task,
    merge_parts,
    prepare_corpus,
    prepare_parts,
)
from albert_keras.data.corpus.workers import light_command
from albert_keras.files import directory_lock
from albert_keras.files.directory_lock import DirectoryLock
from tests.conftest import make_text

SMALL = {"shard_megabytes": 0.01}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Plain text, JSON lines and a compressed file: 26 chunks of 10 kB."""
    directory = tmp_path_factory.mktemp("texts")
    (directory / "a.txt").write_text(make_text(400, seed=1))
    documents = make_text(400, seed=2).strip().split("\n\n")
    lines = [json.dumps({"text": text}) for text in documents]
    (directory / "b.jsonl").write_text("\n".join(lines) + "\n")
    compressed = gzip.compress(make_text(400, seed=3).encode())
    (directory / "c.txt.gz").write_bytes(compressed)
    return directory


@pytest.fixture(scope="module")
def vocabulary(request):
    return request.getfixturevalue("corpus") / "vocabulary.model"


@pytest.fixture(scope="module")
def uninterrupted(texts, vocabulary, tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "corpus"
    prepare_corpus([texts], directory, vocabulary, workers=1, **SMALL)
    return directory


def content(directory):
    return {p.name: p.read_bytes() for p in sorted(directory.iterdir())}


@pytest.mark.process
def test_any_number_of_processes_makes_the_same_store(
    texts, vocabulary, uninterrupted, tmp_path
):
    prepare_corpus([texts], tmp_path / "c", vocabulary, workers=3, **SMALL)
    assert content(tmp_path / "c") == content(uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_the_size_of_the_shards_does_not_show(
    texts, vocabulary, uninterrupted, tmp_path
):
    prepare_corpus([texts], tmp_path / "c", vocabulary, workers=1)
    for name, data in content(tmp_path / "c").items():
        if name != "store.json":  # which records the size
            assert data == content(uninterrupted)[name], name


def test_four_tasks_merged_equal_one_run(
    texts, vocabulary, uninterrupted, tmp_path
):
    for index in (2, 0, 3, 1):
        with prepare_parts(
            [texts], tmp_path / "parts", vocabulary, is_shared=True, **SMALL
        ) as plan:
            if index == 1:
                with pytest.raises(ValueError, match="are not finished.*merge"):
                    merge_parts(plan, tmp_path / "c", 0.05, 0)
            encode_task(plan, index, 4, workers=1)
    merge_parts(plan, tmp_path / "c", 0.05, 0)
    assert content(tmp_path / "c") == content(uninterrupted)


def start(texts, vocabulary, directory):
    return subprocess.Popen(
        light_command(
            "tests.data.corpus.prepare_once",
            str(texts),
            str(vocabulary),
            directory,
        )
    )


@pytest.mark.process
@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    texts, vocabulary, uninterrupted, tmp_path, kills
):
    target = str(tmp_path / "c")
    began = time.monotonic()
    process = start(texts, vocabulary, target)
    assert process.wait() == 0
    seconds = time.monotonic() - began
    assert content(tmp_path / "c") == content(uninterrupted)
    shutil.rmtree(target)

    moments, killed = random.Random(0), 0
    while killed < kills:
        process = start(texts, vocabulary, target)
        try:
            process.wait(moments.uniform(0.1, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
        if (tmp_path / "c").exists():  # it finished before it was killed
            assert content(tmp_path / "c") == content(uninterrupted)
            shutil.rmtree(target)
    process = start(texts, vocabulary, target)
    assert process.wait() == 0
    assert content(tmp_path / "c") == content(uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_finished_shards_are_not_made_again(
    texts, vocabulary, tmp_path, monkeypatch
):
    counted = []
    run_job = workers_module.run_job

    def stop_after_five(plan, job, on_bytes):
        if len(counted) == 5:
            raise KeyboardInterrupt
        run_job(plan, job, on_bytes)
        counted.append(job["chunk"])

    monkeypatch.setattr(workers_module, "run_job", stop_after_five)
    with pytest.raises(KeyboardInterrupt):
        prepare_corpus([texts], tmp_path / "c", vocabulary, workers=1, **SMALL)
    shards = sorted(p.name for p in (tmp_path / "c.parts/shards").iterdir())
    assert len(shards) == 5
    monkeypatch.setattr(
        workers_module, "run_job", lambda *a: (counted.append(a), run_job(*a))
    )
    prepare_corpus([texts], tmp_path / "c", vocabulary, workers=1, **SMALL)
    assert {job[1]["chunk"] for job in counted[5:]}.isdisjoint(counted[:5])


def test_the_plan_of_an_earlier_version_is_refused_and_kept(
    texts, vocabulary, tmp_path
):
    parts = tmp_path / "c.parts"
    with prepare_parts([texts], parts, vocabulary, **SMALL) as plan:
        encode_task(plan, 0, 9, workers=1)
    record = json.loads((parts / "plan.json").read_text())
    assert record.pop("version") == 2
    record["stretches"] = [
        [record["files"][file]["path"], start, end]
        for chunk in record.pop("chunks")
        for file, start, end, _, _ in chunk
    ]
    (parts / "plan.json").write_text(json.dumps(record))
    shards = sorted((parts / "shards").iterdir())
    with pytest.raises(ValueError, match="version 1, .*reads 2.*start over"):
        prepare_corpus([texts], tmp_path / "c", vocabulary, **SMALL)
    assert sorted((parts / "shards").iterdir()) == shards


def test_a_packed_file_goes_on_within(vocabulary, tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(make_text(1500, seed=3).encode()))
    prepare_corpus([path], tmp_path / "whole", vocabulary, **SMALL)
    with prepare_parts([path], tmp_path / "c.parts", vocabulary, **SMALL) as p:
        encode_task(p, 0, 1, workers=1)
    shards = sorted((tmp_path / "c.parts/shards").iterdir())
    assert len(shards) > 5
    for shard in shards[3:]:
        shutil.rmtree(shard)
    prepare_corpus([path], tmp_path / "c", vocabulary, **SMALL)
    assert content(tmp_path / "c") == content(tmp_path / "whole")


def test_parts_of_something_else_are_refused_with_the_difference(
    texts, vocabulary, tmp_path
):
    parts = tmp_path / "parts"
    with prepare_parts([texts], parts, vocabulary, **SMALL) as plan:
        encode_task(plan, 0, 4, workers=1)
    with pytest.raises(ValueError, match="min_characters 0 then, 9 now"):
        with prepare_parts(
            [texts], parts, vocabulary, min_characters=9, **SMALL
        ):
            pass
    with pytest.raises(ValueError, match="other files: .*b.jsonl"):
        with prepare_parts(
            [texts / "a.txt", texts / "c.txt.gz"], parts, vocabulary, **SMALL
        ):
            pass
    assert len(list((parts / "shards").iterdir())) > 3


def test_a_damaged_shard_is_found_when_merging(texts, vocabulary, tmp_path):
    with prepare_parts([texts], tmp_path / "p", vocabulary, **SMALL) as plan:
        encode_task(plan, 0, 1, workers=1)
        path = plan.shard_directory(1, 0) / "tokens.bin"
        path.write_bytes(path.read_bytes()[:-2])
        with pytest.raises(ValueError, match="000001-0000.*is damaged"):
            merge_parts(plan, tmp_path / "c", 0.05, 0)
    assert not (tmp_path / "c").exists()


@pytest.mark.process
def test_a_worker_that_dies_is_told_and_the_rest_kept(
    texts, vocabulary, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        workers_module,
        "_START",
        workers_module._START.replace(
            "importlib.import_module(sys.argv.pop(1)).main()",
            "del sys.argv[1]\n"
            "import os, albert_keras.data.corpus.encode_shard as s\n"
            "real = s.run_job\n"
            "def run(plan, job, on_bytes):\n"
            "    job['chunk'] == 7 and os._exit(9)\n"
            "    real(plan, job, on_bytes)\n"
            "s.run_job = run\n"
            "s.main()",
        ),
    )
    with pytest.raises(RuntimeError, match="exited with code 9.*'chunk': 7"):
        prepare_corpus([texts], tmp_path / "c", vocabulary, workers=2, **SMALL)
    assert len(list((tmp_path / "c.parts/shards").iterdir())) >= 5
    monkeypatch.undo()
    prepare_corpus([texts], tmp_path / "c", vocabulary, workers=1, **SMALL)
    assert TokenStore(tmp_path / "c").manifest["num_documents"] == 1200


def test_every_step_is_counted_in_the_report(vocabulary, tmp_path):
    documents = [
        "One sentence here. And two.",
        "Too short.",
        "One sentence here. And two.",
        "Another document of some length. It has two sentences.",
    ]
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(documents), encoding="utf-8")
    manifest = prepare_corpus(
        [path],
        tmp_path / "c",
        vocabulary,
        min_characters=15,
        deduplicate="exact",
    )
    report = manifest["report"]
    assert report["documents_read"] == 4
    assert report["documents_too_short"] == 1
    assert report["duplicates_removed"] == 1
    assert report["documents"] == manifest["num_documents"] == 2
    assert report["words"] == 5 + 5 + 9
    store = TokenStore(tmp_path / "c")
    store.verify()
    texts = " ".join(store.tokenizer.decode(store.tokens).split())
    assert texts.count("one sentence") <= 1
    assert report["longest_pieces"] == sorted(
        report["longest_pieces"], key=lambda piece: (-len(piece), piece)
    )


def test_sentences_of_any_length_are_stored(vocabulary, tmp_path, rng):
    words = rng.choice(["bad", "dog", "fin", "got"], 30_000)
    path = tmp_path / "a.txt"
    path.write_text(" ".join(words) + "\n")
    prepare_corpus([path], tmp_path / "c", vocabulary)
    store = TokenStore(tmp_path / "c")
    encoded = store.tokenizer.encode([" ".join(words)])[0]
    np.testing.assert_array_equal(store.tokens, encoded)
    assert np.diff(store.sentence_offsets).max() == 1000


def test_a_run_beside_another_is_refused(
    texts, vocabulary, tmp_path, monkeypatch
):
    monkeypatch.setattr(directory_lock, "_TIMEOUT", 0.1)
    parts = tmp_path / "c.parts"
    message = f"c.parts is in use. The prep.*process {os.getpid()} on .* since"
    with prepare_parts([texts], parts, vocabulary, **SMALL):
        with pytest.raises(ValueError, match=message):
            prepare_corpus([texts], tmp_path / "c", vocabulary, **SMALL)
    shared = {"is_shared": True, **SMALL}
    with prepare_parts([texts], parts, vocabulary, **shared) as plan:
        with prepare_parts([texts], parts, vocabulary, **shared):
            encode_task(plan, 3, 9, workers=1)
        with pytest.raises(ValueError, match=message):
            prepare_corpus([texts], tmp_path / "c", vocabulary, **SMALL)
        with DirectoryLock(parts, "Task 3", name="task-3.lock"):
            with pytest.raises(ValueError, match="another `task_index`"):
                encode_task(plan, 3, 9, workers=1)


def test_a_run_that_waited_for_another_replaces_nothing(
    texts, vocabulary, tmp_path
):
    refused = []

    def prepare_too():
        with pytest.raises(ValueError, match="already holds a prepared"):
            prepare_corpus([texts], tmp_path / "c", vocabulary, **SMALL)
        refused.append(True)

    with prepare_parts([texts], tmp_path / "c.parts", vocabulary) as plan:
        second = threading.Thread(target=prepare_too)
        second.start()
        encode_task(plan, 0, 1, workers=1)
        merge_parts(plan, tmp_path / "c", 0.05, 0)
    second.join()
    assert refused
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
