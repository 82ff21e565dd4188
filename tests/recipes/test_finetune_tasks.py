"""RACE and token classification end to end, on generated samples."""

import json

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.training.callbacks.training_log import read_metrics
from tests.recipes.samples import FILLERS, FLAGS, WORDS

# === RACE ===


def write_race(directory, concatenated=False):
    """Writes the splits, one file per passage or Google's `all.txt`."""
    rng = np.random.default_rng(0)
    for split in ("train", "dev", "test"):
        for level in ("middle", "high"):
            folder = directory / split / level
            folder.mkdir(parents=True)
            passages = [make_passage(rng, level, n) for n in range(12)]
            if concatenated:
                lines = [json.dumps(passage) for passage in passages]
                (folder / "all.txt").write_text("\n".join(lines) + "\n")
                continue
            for number, passage in enumerate(passages):
                path = folder / f"{number}.txt"
                path.write_text(json.dumps(passage))


def make_passage(rng, level, number):
    """Two questions; the right option is always the same word."""
    options = [list(rng.permutation(WORDS[:4])) for _ in range(2)]
    return {
        "id": f"{level}{number}.txt",
        "article": " ".join(rng.choice(FILLERS, 3)),
        "questions": ["_ lo.", "Ta?"],
        "options": options,
        "answers": ["ABCD"[row.index(WORDS[0])] for row in options],
    }


RACE_FLAGS = ["--max_seq_length", "32", "--max_choice_length", "16"]


def race(recipe, data_dir, pretrained, output, *more):
    argv = ["--data_dir", str(data_dir), "--pretrained", str(pretrained)]
    argv += ["--output_dir", str(output), *RACE_FLAGS]
    return recipe("finetune_race").main([*argv, *more])


@pytest.mark.slow
def test_race_is_learnt_evaluated_and_answered(
    recipe, pretrained, tmp_path, capsys
):
    write_race(tmp_path / "RACE")
    flags = [*FLAGS, *RACE_FLAGS, "--total_steps", "120"]
    flags += ["--validation_frequency", "120"]
    run = race(recipe, tmp_path / "RACE", pretrained, tmp_path / "run", *flags)
    scores = json.loads((run / "eval_metrics.json").read_text())
    assert set(scores) == {"accuracy", "accuracy_middle", "accuracy_high"}
    assert min(scores.values()) > 0.9
    # Google's form, its test split, and one without answers.
    write_race(tmp_path / "google", concatenated=True)
    evaluate = ("--mode", "evaluate", "--split", "test", "--level", "high")
    metrics = race(
        recipe, tmp_path / "google", run, tmp_path / "test", *evaluate
    )
    assert set(metrics) == {"accuracy", "accuracy_high"}
    assert metrics["accuracy"] > 0.9
    for path in (tmp_path / "RACE/test").rglob("*.txt"):
        passage = json.loads(path.read_text())
        del passage["answers"]
        path.write_text(json.dumps(passage))
    predict = ("--mode", "predict", "--split", "test")
    path = race(recipe, tmp_path / "RACE", run, tmp_path / "answers", *predict)
    answers = json.loads(path.read_text())
    assert len(answers) == 24 and list(answers)[:2] == [
        "middle0.txt",
        "middle1.txt",
    ]
    answered = json.loads((tmp_path / "test/predictions.json").read_text())
    assert {name: answers[name] for name in answered} == answered


# === Tokens ===

KINDS = {"bade": "B-PER", "rigo": "B-LOC"}


def write_conll(path, num_sentences=32):
    rng = np.random.default_rng(0)
    lines = ["-DOCSTART- -X- O O", ""]
    for _ in range(num_sentences):
        for word in rng.choice([*WORDS[:2], *FILLERS], rng.integers(2, 6)):
            lines.append(f"{word} NN O {KINDS.get(str(word), 'O')}")
        lines.append("")
    path.write_text("\n".join(lines))


def tokens(recipe, pretrained, output, *more):
    argv = ["--pretrained", str(pretrained), "--output_dir", str(output)]
    argv += ["--max_seq_length", "32"]
    return recipe("finetune_tokens").main([*argv, *more])


def test_tags_are_learnt_evaluated_and_predicted(
    recipe, pretrained, tmp_path, capsys
):
    file = tmp_path / "train.txt"
    write_conll(file)
    flags = [*FLAGS, "--total_steps", "120"]
    flags += ["--validation_frequency", "120"]
    flags += ["--train_file", str(file), "--dev_file", str(file)]
    run = tokens(recipe, pretrained, tmp_path / "run", *flags)
    scores = json.loads((run / "eval_metrics.json").read_text())
    assert scores["f1"] > 0.9 and scores["accuracy"] > 0.9
    assert {"PER_f1", "LOC_recall", "precision"} < set(scores)
    assert read_metrics(run / "metrics.csv")[-1]["val_f1"] == scores["f1"]
    assert ak.load_model(run).class_names == ("O", "B-LOC", "B-PER")
    evaluate = ("--mode", "evaluate", "--dev_file", str(file))
    assert tokens(recipe, run, tmp_path / "dev", *evaluate) == scores
    # Words without tags.
    words = tmp_path / "words.txt"
    words.write_text("bade\nta\n\nrigo\n")
    predict = ("--mode", "predict", "--test_file", str(words))
    path = tokens(recipe, run, tmp_path / "tags", *predict)
    assert path.read_text() == "bade B-PER\nta O\n\nrigo B-LOC\n\n"
    with pytest.raises(SystemExit, match="--mode predict needs --test_file"):
        tokens(recipe, run, tmp_path / "x", "--mode", "predict")


def test_what_is_not_used_as_it_stands_is_counted_and_listed(
    recipe, pretrained, tmp_path, capsys
):
    train, dev = tmp_path / "train.txt", tmp_path / "dev.txt"
    train.write_text("bade B-PER\n" + 20 * "ta O\n" + 20 * "bade" + " O\n")
    dev.write_text("bade B-XYZ\nta O\n")
    flags = [*FLAGS, "--total_steps", "2", "--warmup_steps", "1", "--eager"]
    flags += ["--train_file", str(train), "--dev_file", str(dev)]
    flags += ["--max_seq_length", "16"]
    run = tokens(recipe, pretrained, tmp_path / "run", *flags)
    shown = capsys.readouterr().out
    assert "train.txt: 1 of 1 sentences are split into windows" in shown
    assert "train.txt: 1 of 22 words were truncated to 14 tokens" in shown
    assert "dev.txt: 1 of 2 words have a tag that the model does not" in shown
    assert "1: B-XYZ" in shown
    report = json.loads((run / "data_report.json").read_text())
    assert [len(places) for places in report.values()] == [1, 0]
