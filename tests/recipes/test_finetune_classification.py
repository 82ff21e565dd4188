"""Tables of labelled texts end to end: from a file to predictions.csv."""

import csv
import json

import keras
import numpy as np
import pandas
import pytest
from sklearn import metrics

import albert_keras as ak
from tests.documents import ROOT, commands, python_blocks
from tests.recipes.samples import FILLERS, FLAGS, WORDS

LENGTH = ["--max_seq_length", "32"]
SHORT = [*FLAGS, "--total_steps", "2", "--warmup_steps", "1", "--eager"]


def classify(recipe, *argv):
    return recipe("finetune_classification").main([*map(str, argv)])


def train(recipe, pretrained, run, path, *more):
    argv = ["--pretrained", pretrained, "--train_file", path]
    return classify(recipe, *argv, "--output_dir", run, *FLAGS, *more)


def predict(recipe, model, source, target, *more):
    argv = ["--mode", "predict", "--pretrained", model, *LENGTH]
    return classify(
        recipe, *argv, "--input_file", source, "--output_file", target, *more
    )


def sentence(rng, *words):
    """Words among fillers."""
    return " ".join([rng.choice(FILLERS), *words, rng.choice(FILLERS)])


# === Learned, from file to file ===

NAMES = ("gut", "schlecht", "так себе")


def write_reviews(path, rng):
    """Three labels by name, with a byte order mark, and 5% broken rows."""
    broken = []
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        lines = 1
        for number in range(114):
            if number % 19 == 7:
                file.write(
                    ["a,b\r\n", f'{number},"never closed,x\r\n'][number % 2]
                )
                lines += 1
                broken.append(lines)
                continue
            c = int(rng.integers(3))
            text = f'{FILLERS[0]}, "{WORDS[c]}"\n{sentence(rng)}'
            writer.writerow([number, text, NAMES[c]])
            lines += 2
    return broken


@pytest.mark.slow
def test_three_labels_by_name_are_learned_from_a_spreadsheet(
    recipe, pretrained, tmp_path, capsys, rng
):
    broken = write_reviews(tmp_path / "reviews.csv", rng)
    argv = ["--dev_share", "0.2", "--class_weights", "balanced"]
    argv += ["--loss", "focal", "--label_smoothing", "0.05"]
    run = train(
        recipe, pretrained, tmp_path / "run", tmp_path / "reviews.csv", *argv
    )
    shown = capsys.readouterr().out
    assert "Problem: single_label" in shown
    assert "6 of 114 cannot be read" in shown
    listed = json.loads((run / "data_report.json").read_text())
    assert [
        int(place.split(":")[0])
        for place in listed["cannot be read (line: reason)"]
    ] == broken
    target = tmp_path / "predictions.csv"
    predict(recipe, run / "best", tmp_path / "reviews.csv", target)
    rows = pandas.read_csv(target)
    assert list(rows.columns) == [
        *("id", "text", "label", "prediction", "probability")
    ]
    assert len(rows) == 108
    assert (rows.label == rows.prediction).mean() > 0.9
    assert rows.text[0].count("\n") == 1
    model = ak.load_model(run / "best")
    assert model.class_names == NAMES
    # The scores are scikit-learn's on what was written.
    scores = json.loads((run / "eval_metrics.json").read_text())
    dev = pandas.read_csv(run / "dev_predictions.csv")
    shares = dev[[f"probability_{name}" for name in NAMES]].to_numpy()
    assert scores == {
        "accuracy": metrics.accuracy_score(dev.label, dev.prediction),
        "macro_f1": metrics.f1_score(
            dev.label, dev.prediction, average="macro"
        ),
        "matthews": metrics.matthews_corrcoef(dev.label, dev.prediction),
        "roc_auc": metrics.roc_auc_score(
            dev.label, shares, multi_class="ovr", labels=NAMES
        ),
    }
    np.testing.assert_array_equal(dev.probability, shares.max(axis=1))
    for name in ("confusion_matrix.png", "calibration.png"):
        assert (run / name).read_bytes().startswith(b"\x89PNG")
    page = recipe("report").main([str(run)]).read_text()
    assert page.count("data:image/png;base64,") == 2


@pytest.mark.slow
def test_pairs_are_learned_and_evaluated(recipe, pretrained, tmp_path, rng):
    table = [
        {"a": sentence(rng, WORDS[i]), "b": sentence(rng, WORDS[j]), "same": s}
        for i, j, s in (
            (i, i if same else 2 + i, bool(same))
            for i, same in rng.integers(0, 2, (96, 2))
        )
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, table)))
    columns = ["--text_column", "a", "--pair_column", "b"]
    labels = [*columns, "--label_column", "same"]
    run = train(
        recipe, pretrained, tmp_path / "run", path, *labels, "--dev_file", path
    )
    scores = classify(
        recipe,
        *("--mode", "evaluate", "--pretrained", run / "best", *LENGTH),
        *("--dev_file", path, "--output_dir", tmp_path / "dev", *labels),
    )
    assert scores["accuracy"] > 0.9
    kept = json.loads((run / "best/eval_metrics.json").read_text())
    assert scores == kept
    target = predict(
        recipe, run / "best", path, tmp_path / "out.jsonl", *columns
    )
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [{k: row[k] for k in ("a", "b", "same")} for row in rows] == table
    assert scores["accuracy"] == np.mean(
        [row["prediction"] == str(row["same"]).lower() for row in rows]
    )


@pytest.mark.slow
@pytest.mark.parametrize("form", ["lists", "a|b", "columns"])
def test_several_labels_are_learned_in_every_form(
    recipe, pretrained, tmp_path, rng, form
):
    names = ("rude", "spam")
    chosen = rng.integers(0, 2, (96, 2))
    texts = [
        sentence(rng, *(WORDS[c] for c in range(2) if row[c])) for row in chosen
    ]
    cells = [
        [n for n, c in zip(names, row, strict=True) if c] for row in chosen
    ]
    path, columns = tmp_path / "table.parquet", ["label"]
    frame = pandas.DataFrame({"text": texts, "label": cells})
    if form == "a|b":
        path = tmp_path / "table.csv"
        frame["label"] = ["|".join(cell) for cell in cells]
    elif form == "columns":
        path, columns = tmp_path / "table.tsv", list(names)
        frame = pandas.DataFrame({"text": texts}).assign(
            rude=chosen[:, 0], spam=chosen[:, 1]
        )
    if form == "lists":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if form == "columns" else ",")
    labels = ["--label_column", *columns]
    run = train(
        recipe, pretrained, tmp_path / "run", path, *labels, "--dev_file", path
    )
    scores = json.loads((run / "best/eval_metrics.json").read_text())
    dev = pandas.read_csv(run / "best/dev_predictions.csv").fillna("")
    predicted = np.array(
        [[n in cell.split("|") for n in names] for cell in dev.prediction]
    )
    shares = dev[[f"probability_{name}" for name in names]].to_numpy()
    assert scores == {
        "average_precision": metrics.average_precision_score(chosen, shares),
        "macro_f1": metrics.f1_score(chosen, predicted, average="macro"),
        "micro_f1": metrics.f1_score(chosen, predicted, average="micro"),
        "roc_auc": metrics.roc_auc_score(chosen, shares),
        "accuracy": metrics.accuracy_score(chosen, predicted),
    }
    assert scores["accuracy"] > 0.9
    model = ak.load_model(run / "best")
    assert (model.problem, model.class_names) == ("multi_label", names)
    np.testing.assert_array_equal(
        shares > np.array(model.thresholds), predicted
    )
    assert ak.load_model(run).thresholds == model.thresholds
    target = predict(recipe, run / "best", path, tmp_path / f"out{path.suffix}")
    if form == "lists":
        out = pandas.read_parquet(target)
        assert [list(cell) for cell in out.label] == cells
        found = [list(cell) for cell in out.prediction]
    else:
        out = pandas.read_csv(target, sep=None, engine="python").fillna("")
        found = [[n for n in cell.split("|") if n] for cell in out.prediction]
    assert found == [
        [n for n, c in zip(names, row, strict=True) if c] for row in predicted
    ]


@pytest.mark.slow
def test_numbers_are_learned(recipe, pretrained, tmp_path, rng, capsys):
    scores = rng.integers(0, 3, 96)
    frame = pandas.DataFrame(
        {
            "text": [sentence(rng, WORDS[s]) for s in scores],
            "stars": scores * 1.5 - 1,
        }
    )
    path = tmp_path / "stars.csv"
    frame.to_csv(path, index=False)
    labels = ["--label_column", "stars", "--dev_file", path]
    run = train(recipe, pretrained, tmp_path / "run", path, *labels)
    assert "Problem: regression" in capsys.readouterr().out
    scores = json.loads((run / "best/eval_metrics.json").read_text())
    assert scores["pearson"] > 0.9
    target = predict(recipe, run / "best", path, tmp_path / "out.csv")
    out = pandas.read_csv(target)
    assert out.probability.isna().all()
    assert np.corrcoef(out.prediction, out.stars)[0, 1] == pytest.approx(
        scores["pearson"]
    )


# === Modes and input, with models that have learned nothing ===


@pytest.fixture(scope="module")
def classifier(pretrained, tmp_path_factory):
    """A classifier of three names with random weights."""
    keras.utils.set_random_seed(0)
    model = ak.AlbertForSequenceClassification.from_pretrained(
        pretrained, num_classes=3, class_names=NAMES
    )
    path = tmp_path_factory.mktemp("classifier") / "model"
    tokenizer = ak.AlbertTokenizer.from_pretrained(pretrained)
    model.save_pretrained(path, tokenizer=tokenizer)
    return path


@pytest.mark.slow
def test_every_readable_row_is_written_in_chunks(
    recipe, classifier, tmp_path, capsys, monkeypatch
):
    module = "albert_keras.workflows.table_prediction._ROWS"
    monkeypatch.setattr(module, 3)
    path = tmp_path / "new.csv"
    path.write_text(
        "n;text\n0;bade\n1;\n2;rigo ta\nbroken\n"
        + "".join(f"{n};nusta\n" for n in range(3, 8))
    )
    target = predict(
        recipe, classifier, path, tmp_path / "out.csv", "--all_probabilities"
    )
    shown = capsys.readouterr().out
    assert "1 of 9 cannot be read (line: reason): 5: 1 columns" in shown
    assert "1 of 9 have no text, and get no prediction: 3" in shown
    out = pandas.read_csv(target)
    assert out.n.tolist() == list(range(8))
    assert out.prediction.isna().tolist() == [n == 1 for n in range(8)]
    shares = out[[f"probability_{name}" for name in NAMES]].dropna().to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    # The same as the model's own predictions.
    model = ak.load_model(classifier)
    inputs = ak.AlbertTokenizer.from_pretrained(classifier)(
        ["bade", "rigo ta", "nusta"], sequence_length=16
    )
    logits = model.predict(inputs, verbose=0)["logits"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares[[0, 1, 2]], expected, rtol=1e-4)
    with pytest.raises(SystemExit, match="already has the columns prediction"):
        predict(recipe, classifier, target, tmp_path / "again.csv")
    with pytest.raises(SystemExit, match="is the input, too"):
        predict(recipe, classifier, path, path)
    with pytest.raises(SystemExit, match="must end in .csv"):
        predict(recipe, classifier, path, tmp_path / "out.xls")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.csv", "out.csv"]


@pytest.mark.slow
def test_predictions_in_parquet_have_types(recipe, classifier, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("n,text\n0,bade\n1,\n2,rigo\n")
    table = predict(recipe, classifier, path, tmp_path / "out.parquet")
    frame = pandas.read_parquet(table)
    assert frame.n.tolist() == ["0", "1", "2"]
    assert set(frame.prediction.dropna()) <= set(NAMES)
    assert frame.probability.dtype == "float64"
    assert frame.probability.isna().tolist() == [False, True, False]


def test_input_that_cannot_be_learned_is_refused_before_anything_is_written(
    recipe, pretrained, classifier, tmp_path
):
    def refused(content, message, *more, name="t.csv"):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(SystemExit, match=message):
            train(recipe, pretrained, tmp_path / "run", path, *more)
        assert not (tmp_path / "run").exists()

    good = "text,label\n" + "a,x\nb,y\n" * 20
    refused(
        good,
        "columns are: 'text', 'label'.*--text_column",
        "--text_column",
        "Text",
    )
    refused(
        "text,label\na,x\nb,x\n",
        "two classes. Received: only 'x'.*--label_column",
    )
    refused("text,label\n,x\n ,y\n", "no row with a text")
    refused(
        good, "cannot be divided with --dev_share 0.01", "--dev_share", "0.01"
    )
    refused(
        good, "--class_weights must be 'balanced'", "--class_weights", "{}x"
    )
    refused(good, "--metric must be one of.*'f1'", "--metric", "f1")
    refused(good, "must hold numbers", "--problem", "regression")
    numbers = "text,label\n" + "".join(f"a,{n}.5\n" for n in range(30))
    refused(
        numbers, "--label_smoothing requires cl", "--label_smoothing", "0.1"
    )
    refused(numbers, "--loss focal requires classes", "--loss", "focal")
    refused(good, "--focal_gamma is for", "--focal_gamma", "1")
    refused(good, "--label_smoothing must be", "--label_smoothing", "1")
    refused(good, "does not exist", "--dev_file", tmp_path / "none.csv")
    (tmp_path / "dev.csv").write_text("text,label\na,other\n")
    refused(
        good, "no row with a usable label", "--dev_file", tmp_path / "dev.csv"
    )
    with pytest.raises(SystemExit, match="needs --train_file and --output_dir"):
        classify(recipe, "--pretrained", pretrained)
    with pytest.raises(SystemExit, match="must be the model's classes"):
        classify(
            recipe,
            *("--mode", "evaluate", "--pretrained", classifier),
            *("--dev_file", tmp_path / "t.csv", "--label_column", "a", "b"),
            *("--output_dir", tmp_path / "dev"),
        )


@pytest.mark.slow
def test_a_rare_label_and_labels_of_mixed_types_are_learned_and_said(
    recipe, pretrained, tmp_path, capsys
):
    rows = [{"text": "bade", "label": n % 2} for n in range(20)]
    rows += [{"text": "rigo", "label": "two"}]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    run = train(recipe, pretrained, tmp_path / "run", path, *SHORT)
    shown = capsys.readouterr().out
    assert "labels of mixed types (20 numbers, 1 texts)" in shown
    assert "the only one of their label, and stay in training: 21" in shown
    assert "3 classes: 0 10, 1 10, two 1" in shown
    assert ak.load_model(run).class_names == ("0", "1", "two")


@pytest.mark.slow
def test_the_commands_of_the_documentation_run(
    recipe, pretrained, tmp_path, monkeypatch, rng
):
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "reviews.csv", rng)
    for name in ("new.csv", "test.csv"):
        (tmp_path / name).write_bytes((tmp_path / "reviews.csv").read_bytes())
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/base").symlink_to(pretrained)
    shown = [
        argv
        for script, *argv in commands(ROOT / "docs/finetuning.md")
        if script == "recipes/finetune_classification.py"
    ]
    assert len(shown) == 3
    for argv in shown:
        classify(recipe, *argv, *([] if "--mode" in argv else SHORT))
    (code,) = python_blocks(ROOT / "docs/finetuning.md")
    exec(code, {})
    columns = pandas.read_csv(tmp_path / "predictions.csv").columns
    assert [*columns[-2:]] == ["prediction", "probability"]
    assert (tmp_path / "runs/reviews-test/confusion_matrix.png").is_file()
