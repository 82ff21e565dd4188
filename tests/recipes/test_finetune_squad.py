"""SQuAD end to end: train, resume, evaluate, predict."""

import json
import logging
import shutil

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.training.callbacks.training_log import read_metrics
from tests.squad_files import make_squad, write_squad

FLAGS = (
    "--max_seq_length 48 --doc_stride 16 --max_query_length 12 "
    "--batch_size 10 --total_steps 12 --warmup_steps 2 --learning_rate 5e-3 "
    "--validation_frequency 4 --checkpoint_frequency 8 --log_frequency 2 "
    "--max_answer_length 6 --seed 3"
).split()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("squad")


@pytest.fixture(scope="module")
def files(directory):
    return {
        "--train_file": write_squad(directory / "train.json"),
        "--dev_file": write_squad(directory / "dev.json", seed=1),
    }


@pytest.fixture
def pretrained(directory, store, tiny_config):
    """A small model with a vocabulary, shared by the tests."""
    path = directory / "pretrained"
    if not path.is_dir():
        backbone = ak.AlbertBackbone.from_config(
            ak.AlbertConfig.from_dict(
                {
                    **tiny_config.to_dict(),
                    "vocabulary_size": 150,
                    "hidden_dim": 32,
                    "intermediate_dim": 64,
                    "embedding_dim": 16,
                    "max_sequence_length": 64,
                    "initializer_range": 0.1,
                }
            )
        )
        backbone.save_pretrained(path, tokenizer=store.tokenizer)
    return path


def run(recipe, pretrained, files, output_dir, *more):
    argv = ["--pretrained", pretrained, "--output_dir", output_dir]
    for name, path in files.items():
        argv += [name, path]
    return recipe("finetune_squad").main([*map(str, argv), *FLAGS, *more])


@pytest.fixture
def finished(directory, recipe, pretrained, files):
    """The directory of a run, shared by the tests."""
    path = directory / "finished"
    if not path.is_dir():
        run(recipe, pretrained, files, path)
    return path


def same_weights(one, other):
    models = [ak.load_model(path).get_weights() for path in (one, other)]
    for mine, theirs in zip(*models, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_run_leaves_predictions_metrics_and_models(finished, files):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        "best",
        "checkpoints",
        "curves.png",
        "data_report.json",
        "eval_metrics.json",
        "metrics.csv",
        "nbest_predictions.json",
        "null_odds.json",
        "predictions.json",
        "settings.yaml",
        "starts.json",
        "tensorboard",
    }
    rows = read_metrics(finished / "metrics.csv")
    assert [row["step"] for row in rows] == [2, 4, 6, 8, 10, 12]
    scored = [row["step"] for row in rows if "val_f1" in row]
    assert scored == [4, 8, 12]
    assert {"loss", "span_exact", "span_f1"} <= set(rows[0])
    best = max(row["val_f1"] for row in rows if "val_f1" in row)
    kept = json.loads((finished / "best" / "eval_metrics.json").read_text())
    assert kept["f1"] == pytest.approx(best)
    assert isinstance(ak.load_model(finished), ak.AlbertForQuestionAnswering)
    ids = {f"1-{p}-{n}" for p in range(4) for n in range(5)}
    predictions = json.loads((finished / "predictions.json").read_text())
    assert set(predictions) == ids


def test_the_official_metrics_of_the_files_are_those_of_the_run(
    finished, files, capsys
):
    from albert_keras.evaluation.squad_metrics import main

    main([str(files["--dev_file"]), str(finished / "predictions.json")])
    official = json.loads(capsys.readouterr().out)
    metrics = json.loads((finished / "eval_metrics.json").read_text())
    for name, value in official.items():
        assert metrics[name] == value, name
    assert metrics["best_f1"] >= metrics["f1"]


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights_and_scores(
    recipe, pretrained, files, finished, tmp_path
):
    resumed = shutil.copytree(finished, tmp_path / "resumed")
    shutil.rmtree(resumed / "checkpoints")
    shutil.copytree(finished / "checkpoints", resumed / "checkpoints")
    # As it was after eight updates: without the last checkpoint.
    run(
        recipe, pretrained, files, tmp_path / "eight", "--keep_checkpoints", "2"
    )
    shutil.copytree(
        tmp_path / "eight" / "checkpoints" / "step-00000008",
        resumed / "checkpoints" / "step-00000008",
    )
    shutil.rmtree(resumed / "checkpoints" / "step-00000012")
    run(recipe, pretrained, files, resumed, "--resume")
    same_weights(finished, resumed)
    same_weights(finished, tmp_path / "eight")  # the seed makes the run
    for name in ("eval_metrics.json", "null_odds.json"):
        assert (resumed / name).read_text() == (finished / name).read_text()
    with pytest.raises(SystemExit, match="already holds a run"):
        run(recipe, pretrained, files, finished)
    with pytest.raises(SystemExit, match="doc_stride: 16 then, 8 now"):
        run(
            *(recipe, pretrained, files, finished),
            *("--resume", "--doc_stride", "8"),
        )
    before = files["--dev_file"].read_text()
    files["--dev_file"].write_text(f"{before}\n")
    with pytest.raises(SystemExit, match="other data .*: dev_file .*dev.json"):
        run(recipe, pretrained, files, finished, "--resume")
    files["--dev_file"].write_text(before)


@pytest.mark.slow
def test_accumulation_and_grouping_are_settings(
    recipe, pretrained, files, tmp_path
):
    ends = {}
    for steps in ("1", "5"):
        path = tmp_path / steps
        run(
            *(recipe, pretrained, files, path, "--total_steps", "3"),
            *("--gradient_accumulation_steps", steps),
            *("--batch_size", str(10 // int(steps))),
            *(
                "--no_group_by_length",
                "--layer_wise_learning_rate_decay",
                "0.5",
            ),
            *("--classifier_dropout_prob", "0", "--answerability_head"),
        )
        ends[steps] = ak.load_model(path)
        assert ends[steps].answerability_head
    for one, other in zip(
        *(model.get_weights() for model in ends.values()), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_a_small_model_learns_the_questions_by_heart(
    recipe, pretrained, files, tmp_path
):
    """Also questions without an answer."""
    both = {name: files["--train_file"] for name in files}
    run(
        *(recipe, pretrained, both, tmp_path / "run", "--total_steps", "300"),
        *("--validation_frequency", "50", "--early_stopping_patience", "3"),
        *("--layer_wise_learning_rate_decay", "1.0"),
    )
    kept = json.loads((tmp_path / "run/best/eval_metrics.json").read_text())
    assert kept["exact"] > 90 and kept["HasAns_exact"] > 80


@pytest.mark.slow
def test_early_stopping_ends_a_run_that_gets_no_better(
    recipe, pretrained, files, tmp_path, capsys
):
    command = (
        *(recipe, pretrained, files, tmp_path / "run", "--learning_rate", "0"),
        *("--validation_frequency", "2", "--early_stopping_patience", "2"),
    )
    run(*command)
    assert "Stopping early: no better f1" in capsys.readouterr().out
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert rows[-1]["step"] == 6
    card = (tmp_path / "run" / "best" / "README.md").read_text()
    assert "| update | 2 |" in card
    capsys.readouterr()
    run(*command, "--resume")
    shown = capsys.readouterr().out
    assert "Stopping early: no better f1" in shown
    assert "Nothing left to do: the run has all of its 6 updates" in shown


def test_evaluation_alone_gives_the_scores_of_the_run(
    recipe, files, finished, tmp_path, capsys
):
    argv = (
        f"--mode evaluate --pretrained {finished}/best "
        f"--dev_file {files['--dev_file']} --output_dir {tmp_path}/dev "
        "--max_seq_length 48 --doc_stride 16 --max_query_length 12 "
        "--max_answer_length 6 --eval_batch_size 3"
    ).split()
    recipe("finetune_squad").main(argv)
    kept = json.loads((finished / "best" / "eval_metrics.json").read_text())
    printed = json.loads(capsys.readouterr().out)
    for name, value in kept.items():
        assert printed[name] == pytest.approx(value, abs=1e-3), name
    recipe("finetune_squad").main(argv)  # again, over its own files
    argv[argv.index(f"{tmp_path}/dev")] = str(finished)
    with pytest.raises(SystemExit, match="other than an evaluation"):
        recipe("finetune_squad").main(argv)


def test_questions_about_a_text_are_answered(
    recipe, finished, tmp_path, capsys
):
    paragraph = make_squad(seed=1)["data"][0]["paragraphs"][0]["context"]
    (tmp_path / "notes.txt").write_text(f"{paragraph}\n\n{paragraph}\n")
    argv = (
        f"--mode predict --pretrained {finished} --max_seq_length 48 "
        f"--text_file {tmp_path}/notes.txt --max_query_length 12 "
        f"--null_score_threshold 1e9 --output_dir {tmp_path}/out --question"
    ).split()
    answers = recipe("finetune_squad").main([*argv, "ra bade?", "ra?"])
    shown = capsys.readouterr().out
    assert len(answers) == 2 and "ra bade?" in shown and "%" in shown
    assert all(text and text in paragraph for text in answers.values())
    assert (tmp_path / "out" / "predictions.json").is_file()


# === Invalid input ===


@pytest.mark.slow
def test_what_is_left_out_is_counted_listed_and_reported(
    recipe, pretrained, files, tmp_path, capsys
):
    made = make_squad()
    qas = made["data"][0]["paragraphs"][0]["qas"]
    qas[1]["answers"][0]["answer_start"] = 0
    qas[2]["is_impossible"] = True
    qas[3]["question"] = "ra " * 40
    (tmp_path / "train.json").write_text(json.dumps(made))
    run(
        *(
            recipe,
            pretrained,
            {**files, "--train_file": tmp_path / "train.json"},
        ),
        *(tmp_path / "run", "--total_steps", "1", "--warmup_steps", "0"),
    )
    shown, told = capsys.readouterr()
    assert (
        "train.json: 8 of 20 questions have no answer. 1 of these list "
        "answers, which count in the official metrics only, since "
        "is_impossible is true: 0-0-2."
    ) in told
    assert "1 of 20 questions were omitted, since their answer" in shown
    assert "1 of 20 questions were truncated to 12 tokens: 0-0-3" in shown
    report = json.loads((tmp_path / "run" / "data_report.json").read_text())
    assert list(report.values()) == [["0-0-3"], ["0-0-1"]]


def bad_inputs(tmp_path, pretrained):
    empty = tmp_path / "empty.json"
    empty.write_text('{"version": "v2.0", "data": []}')
    blind = tmp_path / "blind.json"
    made = make_squad()
    for paragraph in made["data"][0]["paragraphs"]:
        for question in paragraph["qas"]:
            question["answers"] = [{"text": "x", "answer_start": 0}]
            question["is_impossible"] = False
    blind.write_text(json.dumps(made))
    for paragraph in made["data"][0]["paragraphs"]:
        for question in paragraph["qas"]:
            del question["answers"]
    unknown = tmp_path / "unknown.json"
    unknown.write_text(json.dumps(made))
    yield {"--dev_file": empty}, [], "empty.json holds no question"
    yield {"--train_file": blind}, [], "no training row is left"
    yield {"--dev_file": unknown}, [], "unknown.json has no answers"
    yield {"--train_file": unknown}, [], "unknown.json has no answers"
    yield {}, ["--max_seq_length", "100"], "than the model's 64 positions"
    yield {}, ["--epochs", "2"], "--epochs and --total_steps both"
    yield {}, ["--batch_size", "0"], "--batch_size must be above 0"
    yield {}, ["--warmup_steps", "12"], "warmup_steps=12, total_steps=12"
    yield {}, ["--layer_wise_learning_rate_decay", "0"], "_rate_decay must"
    yield {"--pretrained": tmp_path}, [], "is not a pretrained directory"
    yield {"--train_file": tmp_path / "none.json"}, [], "does not exist"
    yield {}, ["--mode", "predict"], "needs --question and --text_file"


def test_bad_input_stops_the_run_before_anything_is_written(
    recipe, pretrained, files, tmp_path
):
    for changed, flags, message in bad_inputs(tmp_path, pretrained):
        changed = dict(changed)
        source = changed.pop("--pretrained", pretrained)
        with pytest.raises(SystemExit, match=message):
            run(
                *(recipe, source, {**files, **changed}, tmp_path / "out"),
                *flags,
            )
        assert not (tmp_path / "out").exists(), message


def test_a_model_that_was_not_fine_tuned_answers_nothing(
    recipe, pretrained, files, tmp_path
):
    with pytest.raises(
        SystemExit, match="AlbertBackbone, not an .*Fine-tune it"
    ):
        run(
            *(recipe, pretrained, files, tmp_path / "out"),
            *("--mode", "evaluate"),
        )


def test_writing_the_head_where_a_format_has_no_place_is_told(
    tiny_config, tmp_path, caplog
):
    model = ak.AlbertForQuestionAnswering(
        ak.AlbertBackbone.from_config(tiny_config), answerability_head=True
    )
    with caplog.at_level(logging.WARNING):
        model.save_pretrained(tmp_path / "google", format="google")
    assert "answerability_head/dense/kernel" in caplog.text
    model.save_pretrained(tmp_path / "keras")
    again = ak.load_model(tmp_path / "keras")
    assert again.answerability_head
    for one, other in zip(
        model.get_weights(), again.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
