"""GLUE's tasks end to end, on generated samples."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import yaml

import albert_keras as ak
from albert_keras.data.tasks.glue import GLUE_TASKS
from albert_keras.training.callbacks.training_log import read_metrics
from albert_keras.workflows.settings.task_settings import (
    GLUE_DEFAULTS,
    GlueSettings,
)
from tests.marks import slow_except
from tests.recipes.samples import FILLERS, FLAGS, WORDS

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


# Without --slow: a regression, and three classes with two development sets.
NOT_SLOW = ("MNLI",)


def make_rows(task, rng, num_rows=48):
    """Yields (texts, label); the first words of the last text determine it."""
    labels = task.classes or ("0.000", "1.250", "2.500", "3.750", "5.000")
    for number in range(num_rows):
        which = number % len(labels)
        texts = [" ".join(rng.choice(FILLERS, 2)) for _ in task.texts]
        signal = " ".join(3 * [WORDS[which]])
        texts[-1] = f"{signal} {texts[-1]}"
        yield texts, labels[which]


def write_tsv(path, header, columns, rows):
    """Writes rows; cells without a value hold the name of their column."""
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


@pytest.mark.parametrize("name", slow_except(GLUE_TASKS, *NOT_SLOW))
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


@pytest.mark.slow
def test_a_model_is_evaluated_by_itself_and_only_on_its_own_task(
    recipe, pretrained, tmp_path, capsys
):
    for name in ("RTE", "MNLI"):
        write_glue(tmp_path / "glue", GLUE_TASKS[name])
    quick = [*FLAGS, "--total_steps", "2", "--warmup_steps", "1", "--eager"]
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
    # === Invalid input ===
    with pytest.raises(SystemExit, match="predicts 2 classes.*MNLI has 3"):
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


@pytest.mark.slow
def test_seeds_reproduce_a_run_and_a_resumed_one_to_the_bit(
    recipe, pretrained, tmp_path, capsys
):
    write_glue(tmp_path / "glue", GLUE_TASKS["CoLA"])
    quick = [*FLAGS, "--warmup_steps", "1", "--checkpoint_frequency", "2"]
    quick += ["--eager"]  # sooner than a graph, for so few updates
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
    assert "Resuming from update 2" in capsys.readouterr().out
    assert all(np.array_equal(first[name], resumed[name]) for name in first)
    other = weights("c", "--seed", "7")
    assert not np.array_equal(
        first["classifier/kernel"], other["classifier/kernel"]
    )


@pytest.mark.slow
def test_the_table_of_medians_starts_small_tasks_from_mnli(
    recipe, pretrained, tmp_path, capsys
):
    for name in ("RTE", "MNLI"):
        write_glue(tmp_path / "glue", GLUE_TASKS[name])
    quick = [*FLAGS, "--total_steps", "2", "--warmup_steps", "1", "--eager"]
    quick += ["--seeds", "2"]
    run = glue(recipe, tmp_path, pretrained, "all", "table", *quick)
    table = json.loads((run / "glue_table.json").read_text())
    for name in ("RTE", "MNLI"):
        runs = [run / name / f"seed-{seed}" for seed in (42, 43)]
        scores = [
            json.loads((path / "best/eval_metrics.json").read_text())
            for path in runs
        ]
        assert table[name]["scores_by_seed"] == dict(
            zip(("42", "43"), scores, strict=True)
        )
        assert table[name]["median"]["accuracy"] == pytest.approx(
            np.mean([s["accuracy"] for s in scores])
        )

    def started_from(name):
        settings = (run / name / "seed-42/settings.yaml").read_text()
        return yaml.safe_load(settings)["pretrained"]

    assert started_from("MNLI") == str(pretrained)
    assert started_from("RTE").startswith(str(run / "MNLI/seed-4"))
    # A single run with the same seed has the same weights.
    alone = glue(recipe, tmp_path, pretrained, "MNLI", "alone", *quick[:-2])
    mine, theirs = (
        ak.load_model(path).to_parts().weights for path in (alone, runs[0])
    )
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_without_flags_the_plan_is_the_papers():
    settings = GlueSettings(
        task="RTE", data_dir="d", pretrained="p", output_dir="o"
    )

    def plan(name, ranks=1, **changes):
        changed = dataclasses.replace(settings, **changes)
        found = changed.plan(GLUE_DEFAULTS[name], 1000, ranks)
        return found.global_batch_size, found.total_steps, found.warmup_steps

    # Batch, steps and warm-up of table 14.
    assert plan("CoLA") == (16, 5336, 320)
    assert plan("STS-B") == (16, 3598, 214)
    assert plan("SST-2") == (32, 20935, 1256)
    assert plan("MNLI", ranks=8) == (128, 10000, 1000)
    assert plan("QNLI", ranks=2) == (32, 33112, 1986)
    assert plan("QQP") == (128, 14000, 1000)
    assert plan("RTE") == plan("MRPC") == (32, 800, 200)
    assert plan("WNLI") == (16, 2000, 250)
    # The same number of rows with another batch size.
    assert plan("RTE", ranks=2, batch_size=32) == (64, 400, 100)
    with pytest.raises(ValueError, match="cannot be divided among 3 ranks"):
        plan("RTE", ranks=3)
