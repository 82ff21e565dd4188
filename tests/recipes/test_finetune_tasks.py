"""GLUE, RACE and token classification end to end, on samples made here.

The dev files hold what the training files hold: a model that cannot learn its
training rows by heart learns nothing else.
"""

import json
import shutil

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.data import TokenStore
from albert_keras.data.glue import GLUE_TASKS
from albert_keras.training.callbacks.training_log import read_metrics

WORDS = ("bade", "rigo", "nusta", "kele", "mofu")
FILLERS = ("ta", "lo", "mi")
FLAGS = (
    "--max_seq_length 32 --batch_size 16 --learning_rate 0.002 "
    "--total_steps 150 --warmup_steps 6 --hidden_dropout_prob 0 "
    "--classifier_dropout_prob 0 --log_frequency 30 --skip_xla "
    "--validation_frequency 150 --checkpoint_frequency 1000"
).split()


@pytest.fixture(scope="module")
def pretrained(corpus, tmp_path_factory):
    """A model that knows nothing yet, with the corpus's vocabulary."""
    tokenizer = TokenStore(corpus).tokenizer
    config = ak.AlbertConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        embedding_dim=16,
        hidden_dim=32,
        intermediate_dim=32,
        max_sequence_length=64,
        initializer_range=0.2,
    )
    directory = tmp_path_factory.mktemp("pretrained") / "model"
    model = ak.AlbertBackbone.from_config(config)
    model.save_pretrained(directory, tokenizer=tokenizer)
    return directory


# === GLUE ===

HEADERS = {
    "SST-2": ("sentence", "label"),
    "MRPC": ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"),
    "STS-B": (
        *("index", "genre", "filename", "year", "old_index", "source1"),
        *("source2", "sentence1", "sentence2", "score"),
    ),
    "QQP": ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
    "MNLI": (
        *("index", "promptID", "pairID", "genre", "sentence1_binary_parse"),
        *("sentence2_binary_parse", "sentence1_parse", "sentence2_parse"),
        *("sentence1", "sentence2", "label1", "gold_label"),
    ),
    "QNLI": ("index", "question", "sentence", "label"),
    "RTE": ("index", "sentence1", "sentence2", "label"),
    "WNLI": ("index", "sentence1", "sentence2", "label"),
}
TEST_HEADERS = {
    "CoLA": ("index", "sentence"),
    "SST-2": ("index", "sentence"),
    "MRPC": ("index", *HEADERS["MRPC"][1:]),
    "QQP": ("id", "question1", "question2"),
}


def make_rows(task, rng, num_rows=48):
    """(texts, label): the first words of the last text tell the label."""
    labels = task.classes or ("0.000", "1.250", "2.500", "3.750", "5.000")
    for number in range(num_rows):
        which = number % len(labels)
        texts = [" ".join(rng.choice(FILLERS, 2)) for _ in task.texts]
        told = " ".join(3 * [WORDS[which]])
        texts[-1] = f"{told} {texts[-1]}"
        yield texts, labels[which]


def write_tsv(path, header, columns, rows):
    """Cells that no column of `rows` fills hold their column's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(header)] if header else []
    for number, row in enumerate(rows):
        cells = {"index": str(number), "id": str(number), **row}
        lines.append("\t".join(cells.get(c, c) for c in columns))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_glue(directory, task):
    rng = np.random.default_rng(0)
    rows = [
        {**dict(zip(task.texts, texts, strict=True)), task.label: label}
        for texts, label in make_rows(task, rng)
    ]
    header = HEADERS.get(task.name)
    columns = header or task.columns
    for file in ("train.tsv", *task.dev_files.values()):
        write_tsv(directory / task.name / file, header, columns, rows)
    unlabelled = tuple(
        column
        for column in TEST_HEADERS.get(task.name, columns)
        if column not in (task.label, "label1")
    )
    for file in task.test_files.values():
        write_tsv(directory / task.name / file, unlabelled, unlabelled, rows)
    return [row[task.label] for row in rows]


def glue(recipe, tmp_path, pretrained, name, output, *more):
    argv = ["--task", name, "--data_dir", str(tmp_path / "glue")]
    argv += ["--pretrained", str(pretrained)]
    argv += ["--output_dir", str(tmp_path / output)]
    return recipe("finetune_glue").main([*argv, *more])


@pytest.mark.parametrize("name", GLUE_TASKS)
def test_each_glue_task_is_learnt_and_submitted(
    recipe, pretrained, tmp_path, capsys, name
):
    task = GLUE_TASKS[name]
    labels = write_glue(tmp_path / "glue", task)
    glue(recipe, tmp_path, pretrained, name, "run", *FLAGS)
    scores = json.loads((tmp_path / "run/eval_metrics.json").read_text())
    for metric in task.metrics:
        assert scores[metric] > 0.9, scores
    last = read_metrics(tmp_path / "run/metrics.csv")[-1]
    assert last[f"val_{task.metrics[0]}"] == scores[task.metrics[0]]
    glue(
        recipe,
        tmp_path,
        tmp_path / "run",
        name,
        "submission",
        *("--mode", "predict", "--max_seq_length", "32"),
    )
    for file in task.test_files:
        lines = (tmp_path / "submission" / file).read_text().splitlines()
        assert lines[0] == "index\tprediction"
        rows = [line.split("\t") for line in lines[1:]]
        assert [index for index, _ in rows] == [str(n) for n in range(48)]
        predictions = [prediction for _, prediction in rows]
        if task.classes:
            assert np.mean(np.equal(predictions, labels)) > 0.9
        else:
            errors = np.subtract(*np.array([predictions, labels], float))
            assert np.abs(errors).mean() < 0.5


def test_a_model_is_evaluated_by_itself_and_only_on_its_own_task(
    recipe, pretrained, tmp_path, capsys
):
    for name in ("RTE", "MNLI"):
        write_glue(tmp_path / "glue", GLUE_TASKS[name])
    quick = [*FLAGS, "--total_steps", "2", "--warmup_steps", "1"]
    run = glue(recipe, tmp_path, pretrained, "RTE", "run", *quick)
    kept = json.loads((run / "eval_metrics.json").read_text())
    evaluate = ("--mode", "evaluate", "--max_seq_length", "32")
    for _ in range(2):  # an earlier evaluation is replaced
        metrics = glue(recipe, tmp_path, run, "RTE", "dev", *evaluate)
    assert metrics == kept
    assert sorted(path.name for path in (tmp_path / "dev").iterdir()) == [
        "dev_predictions.tsv",
        "eval_metrics.json",
    ]
    assert (tmp_path / "dev/dev_predictions.tsv").read_text() == (
        run / "dev_predictions.tsv"
    ).read_text()
    # === What is refused ===
    with pytest.raises(SystemExit, match="tells 2 classes.*MNLI has 3"):
        glue(recipe, tmp_path, run, "MNLI", "other", *evaluate)
    with pytest.raises(SystemExit, match="AlbertBackbone, not an AlbertForSe"):
        glue(recipe, tmp_path, pretrained, "RTE", "other", *evaluate)
    with pytest.raises(SystemExit, match="holds something other than an eval"):
        glue(recipe, tmp_path, run, "RTE", "run", *evaluate)
    with pytest.raises(SystemExit, match="--max_seq_length 512 is longer"):
        glue(recipe, tmp_path, run, "RTE", "other", "--mode", "evaluate")
    (tmp_path / "glue/RTE/test.tsv").unlink()
    with pytest.raises(SystemExit, match="RTE/test.tsv does not exist"):
        glue(recipe, tmp_path, run, "RTE", "other", "--mode", "predict")
    assert not (tmp_path / "other").exists()


def test_seeds_reproduce_a_run_and_a_resumed_one_to_the_bit(
    recipe, pretrained, tmp_path, capsys
):
    write_glue(tmp_path / "glue", GLUE_TASKS["CoLA"])
    quick = [*FLAGS, "--warmup_steps", "1", "--checkpoint_frequency", "2"]
    quick += ["--hidden_dropout_prob", "0.1", "--validation_frequency", "2"]
    quick += ["--keep_checkpoints", "2", "--total_steps", "4"]

    def weights(output, *more):
        run = glue(recipe, tmp_path, pretrained, "CoLA", output, *quick, *more)
        return ak.load_model(run).to_parts().weights

    first, again = weights("a"), weights("b")
    assert all(np.array_equal(first[name], again[name]) for name in first)
    # As if it had been interrupted after update 2.
    checkpoints = sorted((tmp_path / "b/checkpoints").iterdir())
    assert len(checkpoints) == 2
    shutil.rmtree(checkpoints[-1])
    resumed = weights("b", "--resume")
    assert "Going on from update 2" in capsys.readouterr().out
    assert all(np.array_equal(first[name], resumed[name]) for name in first)
    other = weights("c", "--seed", "7")
    assert not np.array_equal(
        first["classifier/kernel"], other["classifier/kernel"]
    )


# === RACE ===


def write_race(directory, concatenated=False):
    """Passages that hold one word three times, which is the answer."""
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


def test_race_is_learnt_evaluated_and_answered(
    recipe, pretrained, tmp_path, capsys
):
    write_race(tmp_path / "RACE")
    flags = [*FLAGS, *RACE_FLAGS, "--total_steps", "60"]
    flags += ["--validation_frequency", "60"]
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
    told = json.loads((tmp_path / "test/predictions.json").read_text())
    assert {name: answers[name] for name in told} == told


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
    flags = [*FLAGS, "--total_steps", "40", "--validation_frequency", "40"]
    flags += ["--train_file", str(file), "--dev_file", str(file)]
    run = tokens(recipe, pretrained, tmp_path / "run", *flags)
    scores = json.loads((run / "eval_metrics.json").read_text())
    assert scores["f1"] > 0.9 and scores["accuracy"] > 0.9
    assert {"PER_f1", "LOC_recall", "precision"} < set(scores)
    assert read_metrics(run / "metrics.csv")[-1]["val_f1"] == scores["f1"]
    assert ak.load_model(run).class_names == ("O", "B-LOC", "B-PER")
    evaluate = ("--mode", "evaluate", "--dev_file", str(file))
    assert tokens(recipe, run, tmp_path / "dev", *evaluate) == scores
    # Words alone.
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
    flags = [*FLAGS, "--total_steps", "2", "--warmup_steps", "1"]
    flags += ["--train_file", str(train), "--dev_file", str(dev)]
    flags += ["--max_seq_length", "16"]
    run = tokens(recipe, pretrained, tmp_path / "run", *flags)
    shown = capsys.readouterr().out
    assert "train.txt: 1 of 1 sentences are read in windows" in shown
    assert "train.txt: 1 of 22 words were cut to 14 pieces" in shown
    assert "dev.txt: 1 of 2 words have a tag that the model does not" in shown
    assert "1: B-XYZ" in shown
    report = json.loads((run / "data_report.json").read_text())
    assert [len(places) for places in report.values()] == [1, 0]
