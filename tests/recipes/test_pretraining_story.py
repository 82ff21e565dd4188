"""The recipes end to end: text, corpus, run, resumed run, filled masks."""

import csv
import shutil

import numpy as np
import pytest
import yaml

from albert_keras import AlbertForPretraining
from albert_keras.training.callbacks.training_log import read_metrics
from albert_keras.training.runs.run_history import read_starts

FLAGS = (
    "--model_size tiny --max_seq_length 32 --batch_size 8 "
    "--gradient_accumulation_steps 2 --learning_rate 0.01 --total_steps 6 "
    "--validation_steps 2 --log_frequency 2 --validation_frequency 3 "
    "--checkpoint_frequency 4 --hidden_dropout_prob 0.1"
).split()


def files_in(directory):
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if "tensorboard" not in path.parts
    )


def run(recipe, corpus, output_dir, *more):
    argv = ["--data_dir", str(corpus), "--output_dir", str(output_dir)]
    recipe("pretrain").main([*argv, *FLAGS, *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "finished"


def test_text_becomes_a_corpus(recipe, text_file, tmp_path, capsys):
    recipe("prepare_corpus").main(
        [
            "--input",
            str(text_file),
            "--output_dir",
            str(tmp_path / "c"),
            "--vocabulary_size",
            "150",
            "--workers",
            "1",
        ]
    )
    assert files_in(tmp_path / "c") == [
        "albert_keras_tokenizer.json",
        "documents.bin",
        "sentence_bases.bin",
        "sentences.bin",
        "store.json",
        "tokens.bin",
        "vocabulary.model",
    ]
    shown = capsys.readouterr().out
    assert "300 documents" in shown and "Unigram entropy" in shown


def test_a_run_leaves_settings_metrics_figure_and_models(
    recipe, corpus, finished, capsys
):
    run(recipe, corpus, finished)
    shown = capsys.readouterr().out
    assert "unigram entropy" in shown and "6 updates of 16 x 32" in shown
    assert "Update 0: validation" in shown and "Update 6: validation" in shown
    assert files_in(finished) == [
        "checkpoints",
        *(
            f"checkpoints/step-0000000{step}{name}"
            for step in (4, 6)
            for name in (
                "",
                "/README.md",
                "/albert_keras.json",
                "/albert_keras_tokenizer.json",
                "/training_state.json",
                "/training_state.safetensors",
                "/vocabulary.model",
                "/weights.safetensors",
            )
        ),
        "curves.png",
        "metrics.csv",
        "settings.yaml",
        "starts.json",
    ]
    rows = read_metrics(finished / "metrics.csv")
    assert [row["step"] for row in rows] == [0, 2, 3, 4, 6]
    assert [row["step"] for row in rows if "val_mlm_loss" in row] == [0, 3, 6]
    assert rows[0]["val_mlm_loss"] == pytest.approx(np.log(150), abs=0.3)
    assert (finished / "curves.png").read_bytes()[:4] == b"\x89PNG"
    settings = yaml.safe_load((finished / "settings.yaml").read_text())
    assert settings["total_steps"] == 6


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights(
    recipe, corpus, finished, tmp_path, capsys
):
    resumed = shutil.copytree(finished, tmp_path / "resumed")
    shutil.rmtree(resumed / "checkpoints" / "step-00000006")
    run(recipe, corpus, resumed, "--resume")
    assert "Resuming from update 4" in capsys.readouterr().out
    assert [start["first_step"] for start in read_starts(resumed)] == [0, 4]
    rows = read_metrics(resumed / "metrics.csv")
    assert [row["step"] for row in rows] == [0, 2, 3, 4, 6]
    models = [
        AlbertForPretraining.from_pretrained(path)
        for path in (finished, resumed)
    ]
    for mine, theirs in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_run_goes_on_from_pretrained_weights(
    recipe, corpus, finished, tmp_path
):
    run(
        recipe,
        corpus,
        tmp_path / "on",
        "--total_steps",
        "1",
        "--load_from",
        "pretrained",
        "--pretrained",
        str(finished),
        "--hidden_dropout_prob",
        "0",
        "--eager",
    )
    first = read_metrics(tmp_path / "on" / "metrics.csv")[0]
    last = read_metrics(finished / "metrics.csv")[-1]
    assert first["val_mlm_loss"] == pytest.approx(
        last["val_mlm_loss"], rel=1e-4
    )


@pytest.mark.slow
def test_a_run_goes_on_from_a_checkpoint(recipe, corpus, finished, tmp_path):
    run(
        recipe,
        corpus,
        tmp_path / "on",
        "--load_from",
        "checkpoint",
        "--checkpoint_path",
        str(finished / "checkpoints" / "step-00000004"),
    )
    models = [
        AlbertForPretraining.from_pretrained(path)
        for path in (finished, tmp_path / "on")
    ]
    for mine, theirs in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_masks_are_filled_from_the_saved_and_reloaded_model(
    recipe, finished, tmp_path, capsys
):
    recipe("fill_mask").main(
        [
            "--pretrained",
            str(finished),
            "--save_to",
            str(tmp_path / "m"),
            "--text",
            "Ba [MASK] do.",
            "No [MASK], [MASK]",
            "--top",
            "3",
        ]
    )
    shown = capsys.readouterr().out
    assert shown.count("%") == 9
    AlbertForPretraining.from_pretrained(tmp_path / "m")
    with pytest.raises(SystemExit, match=r"no \[MASK\]"):
        recipe("fill_mask").main(["--pretrained", str(finished), "--text", "a"])


def test_a_directory_in_use_is_refused_and_left_as_it_is(
    recipe, corpus, finished, tmp_path
):
    before = files_in(finished)
    with pytest.raises(SystemExit, match="already holds a run.*--resume"):
        run(recipe, corpus, finished)
    with pytest.raises(SystemExit, match="learning_rate: 0.01 then, 0.5 now"):
        run(recipe, corpus, finished, "--resume", "--learning_rate", "0.5")
    assert files_in(finished) == before
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    with pytest.raises(SystemExit, match="something other than a run"):
        run(recipe, corpus, tmp_path / "notes", "--resume")


def test_bad_input_stops_the_run_before_anything_is_written(
    recipe, corpus, finished, tmp_path
):
    cut = shutil.copytree(corpus, tmp_path / "cut")
    content = (cut / "tokens.bin").read_bytes()
    (cut / "tokens.bin").write_bytes(content[:-10])
    cases = [
        (tmp_path / "none", [], "is not a prepared corpus"),
        (cut, [], "tokens.bin is .* bytes long, expected"),
        (corpus, ["--batch_size", "9999"], "too small for one batch"),
        (corpus, ["--warmup_steps", "6"], "warmup_steps=6, total_steps=6"),
        (
            corpus,
            ["--load_from", "pretrained", "--pretrained", str(cut)],
            "is not a pretrained directory",
        ),
    ]
    for data_dir, flags, message in cases:
        with pytest.raises(SystemExit, match=f"pretrain: .*{message}"):
            run(recipe, data_dir, tmp_path / "out", *flags)
        assert not (tmp_path / "out").exists(), message


def test_a_model_of_another_vocabulary_or_length_is_refused(
    recipe, corpus, finished, text_file, tmp_path
):
    recipe("prepare_corpus").main(
        [
            "--input",
            str(text_file),
            "--output_dir",
            str(tmp_path / "c"),
            "--vocabulary_size",
            "140",
        ]
    )
    pretrained = ["--load_from", "pretrained", "--pretrained", str(finished)]
    with pytest.raises(SystemExit, match="vocabulary of 150, the corpus.* 140"):
        run(recipe, tmp_path / "c", tmp_path / "out", *pretrained)
    with pytest.raises(SystemExit, match="longer than the model's 512"):
        run(
            recipe,
            corpus,
            tmp_path / "out",
            *pretrained,
            "--max_seq_length",
            "1024",
            "--batch_size",
            "2",
        )
    assert not (tmp_path / "out").exists()


def test_python_carries_text_for_a_demonstration(recipe, tmp_path):
    path = tmp_path / "docs.txt"
    recipe("collect_python_docs").main(
        ["--output_file", str(path), "--max_megabytes", "0.2"]
    )
    documents = path.read_text(encoding="utf-8").strip().split("\n\n")
    assert len(documents) > 50
    assert min(map(len, documents)) >= 200
    assert not any(">>>" in document for document in documents)


def test_labelled_documents_are_not_part_of_the_text(
    recipe, tmp_path, monkeypatch
):
    collect = recipe("collect_python_docs")
    words = "Returns a value of the kind number"
    found = [("small", f"{words} {i} of a small one.") for i in range(3)]
    found += [("large", f"{words} {i} of a large one.") for i in range(8)]
    found += [(None, f"{words} {i} of the library.") for i in range(9)]
    monkeypatch.setattr(collect, "documents", lambda: iter(found))
    argv = ["--output_file", str(tmp_path / "docs.txt"), "--labelled_file"]
    argv += [str(tmp_path / "labelled.csv"), "--min_characters", "1"]
    collect.main([*argv, "--labelled_documents", "3"])
    with open(tmp_path / "labelled.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["large"] * 3
    text = (tmp_path / "docs.txt").read_text().strip().split("\n\n")
    labelled = {row["text"] for row in rows}
    assert labelled.isdisjoint(text)
    assert labelled | set(text) == {document for _, document in found}
    with pytest.raises(SystemExit, match="--labelled_documents"):
        collect.main([*argv, "--labelled_documents", "5"])


@pytest.mark.slow
def test_the_saved_settings_start_the_same_run_again(
    recipe, corpus, finished, tmp_path
):
    recipe("pretrain").main(
        [
            "--config",
            str(finished / "settings.yaml"),
            "--output_dir",
            str(tmp_path / "again"),
        ]
    )
    one, other = (
        AlbertForPretraining.from_pretrained(directory).get_weights()
        for directory in (finished, tmp_path / "again")
    )
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("skipped", ["mlm", "sop"])
def test_an_objective_that_is_skipped_leaves_its_head_alone(
    recipe, corpus, tmp_path, skipped, capsys
):
    flags = "--total_steps 3 --warmup_steps 0 --checkpoint_frequency 1"
    run(recipe, corpus, tmp_path, f"--skip_{skipped}", *flags.split())
    assert f"postln-skip{skipped}-0.1dropout-unnamed" in capsys.readouterr().out
    names = set(read_metrics(tmp_path / "metrics.csv")[-1])
    assert not {name for name in names if skipped in name}
    assert {
        name for name in names if {"mlm": "sop"}.get(skipped, "mlm") in name
    }
    start, end = (
        AlbertForPretraining.from_pretrained(
            tmp_path / "checkpoints" / f"step-0000000{step}"
        )
        for step in (1, 3)
    )
    heads = {"mlm": "mlm_head", "sop": "sop_head"}
    for name, head in heads.items():
        one, other = (getattr(m, head).get_weights()[0] for m in (start, end))
        assert np.array_equal(one, other) == (name == skipped)


@pytest.mark.slow
def test_checkpoints_may_go_elsewhere_where_resuming_starts_anew_at_first(
    recipe, corpus, tmp_path
):
    kept = tmp_path / "kept"
    elsewhere = ["--checkpoint_dir", str(kept)]
    run(recipe, corpus, tmp_path / "a", *elsewhere, "--resume")
    assert (kept / "step-00000006").is_dir()
    assert not (tmp_path / "a" / "checkpoints").exists()
    with pytest.raises(SystemExit, match="already holds checkpoints"):
        run(recipe, corpus, tmp_path / "b", "--checkpoint_dir", str(kept))
    with pytest.raises(SystemExit, match="seed: 42 then, 7 now"):
        run(
            recipe,
            corpus,
            tmp_path / "b",
            "--checkpoint_dir",
            str(kept),
            "--resume",
            "--seed",
            "7",
        )
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_sequences_may_be_short_at_first_and_resuming_knows(
    recipe, corpus, tmp_path
):
    stages = ["--first_seq_length", "16", "--first_seq_steps", "3"]
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    run(recipe, corpus, whole, *stages)
    shutil.copytree(whole, resumed)
    shutil.rmtree(resumed / "checkpoints" / "step-00000006")
    run(recipe, corpus, resumed, *stages, "--resume")
    models = [AlbertForPretraining.from_pretrained(p) for p in (whole, resumed)]
    for mine, theirs in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(SystemExit, match="--first_seq_steps go together"):
        run(recipe, corpus, tmp_path / "x", "--first_seq_length", "16")
