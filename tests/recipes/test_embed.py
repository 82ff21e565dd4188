"""Embeddings of texts: from a file, in Python, and fine-tuned on pairs."""

import json

import numpy as np
import pandas
import pytest
from sklearn import metrics

import albert_keras as ak
from albert_keras.data.tasks.text_pairs import TextPairs
from albert_keras.evaluation.pair_evaluation import rank_pairs
from albert_keras.losses import in_batch_contrast
from albert_keras.training.callbacks.training_log import read_metrics
from tests.recipes.samples import FILLERS, FLAGS, WORDS

LENGTH = ["--max_seq_length", "32"]


def embed(recipe, *argv):
    return recipe("embed").main([*map(str, argv)])


@pytest.fixture
def texts(rng):
    """Texts of different lengths."""
    return [
        " ".join(rng.choice([*WORDS, *FILLERS], rng.integers(1, 9)))
        for _ in range(11)
    ]


def expected(pretrained, texts):
    """Means over the tokens of one text at a time, of length 1."""
    backbone = ak.AlbertBackbone.from_pretrained(pretrained)
    tokenizer = ak.AlbertTokenizer.from_pretrained(pretrained)
    means = []
    for text in texts:
        ids = np.array([[2, *tokenizer.encode([text])[0], 3]])
        x = backbone({"token_ids": ids})["sequence_output"]
        means.append(np.array(x)[0].mean(axis=0))
    means = np.array(means)
    return means, means / np.linalg.norm(means, axis=1, keepdims=True)


@pytest.mark.heavy
def test_embeddings_are_means_over_the_tokens(pretrained, texts):
    means, of_length_one = expected(pretrained, texts)
    backbone = ak.AlbertBackbone.from_pretrained(pretrained)
    found = backbone.embed(texts, batch_size=4)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, of_length_one, atol=1e-5)
    np.testing.assert_allclose(
        backbone.embed(texts, normalize=False), means, atol=1e-5
    )
    np.testing.assert_allclose(
        backbone.embed(texts[3]), of_length_one[3], atol=1e-5
    )
    assert backbone.embed([]).shape == (0, means.shape[1])
    with pytest.raises(ValueError, match="one list of strings"):
        backbone.embed((texts, texts))
    with pytest.raises(ValueError, match="row 1"):
        backbone.embed(["a", ""])


def test_a_file_is_embedded_in_chunks(
    recipe, pretrained, tmp_path, texts, monkeypatch, capsys
):
    monkeypatch.setattr("albert_keras.workflows.table_embedding._ROWS", 4)
    table = pandas.DataFrame({"n": range(11), "text": texts})
    table.loc[5, "text"] = None
    path = tmp_path / "texts.csv"
    table.to_csv(path, index=False)
    argv = ["--pretrained", pretrained, "--input_file", path, *LENGTH]
    target = tmp_path / "out.npy"
    assert embed(recipe, *argv, "--output_file", target) == target
    assert "1 of 11 have no text, and get no embedding: 7" in (
        capsys.readouterr().out
    )
    array = np.load(target, mmap_mode="r")
    assert array.shape[0] == 11 and np.isnan(array[5]).all()
    _, vectors = expected(pretrained, texts)
    known = np.arange(11) != 5
    np.testing.assert_allclose(array[known], vectors[known], atol=1e-5)
    # The same in tables, next to the columns of the input.
    parquet = embed(recipe, *argv, "--output_file", tmp_path / "out.parquet")
    frame = pandas.read_parquet(parquet)
    assert frame.columns.tolist() == ["n", "text", "embedding"]
    assert frame.embedding.isna().tolist() == (~known).tolist()
    np.testing.assert_array_equal(
        np.stack(frame.embedding[known]), array[known]
    )
    jsonl = embed(recipe, *argv, "--output_file", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in jsonl.read_text().splitlines()]
    np.testing.assert_array_equal(
        np.array(rows[0]["embedding"], "float32"), array[0]
    )


def write_pairs(path, rng):
    """Pairs that share two words in another order, among other fillers."""
    words = [(a, b) for a in WORDS for b in WORDS if a <= b]
    rows = [
        {
            "question": " ".join([*rng.choice(FILLERS, 3), a, b]),
            "answer": " ".join([b, a, *rng.choice(FILLERS, 3)]),
        }
        for a, b in words
    ]
    pandas.DataFrame(rows).to_csv(path, index=False)


@pytest.mark.slow
def test_pairs_are_learned(recipe, pretrained, tmp_path, rng):
    path = tmp_path / "pairs.csv"
    write_pairs(path, rng)
    columns = ["--text_column", "question", "--pair_column", "answer"]
    argv = ["--mode", "train", "--pretrained", pretrained, *FLAGS, *columns]
    argv += ["--train_file", path, "--dev_file", path, "--batch_size", "12"]
    run = embed(recipe, *argv, "--output_dir", tmp_path / "run")
    scores = json.loads((run / "best/eval_metrics.json").read_text())
    before = ak.AlbertBackbone.from_pretrained(pretrained)
    after = ak.load_model(run / "best")
    assert type(after) is ak.AlbertBackbone
    table = pandas.read_csv(path)
    found = {}
    for name, backbone in (("before", before), ("after", after)):
        first, second = map(backbone.embed, (table.question, table.answer))
        similar = metrics.pairwise.cosine_similarity(first, second)
        found[name] = (similar.argmax(axis=1) == range(len(table))).mean()
    assert found["after"] > max(0.9, found["before"])
    assert scores["accuracy"] == pytest.approx(found["after"])
    assert read_metrics(run / "metrics.csv")[-1]["pair_loss"] < 0.3
    ranks = pandas.read_csv(run / "best/dev_ranks.csv")["rank"]
    assert scores["mrr"] == pytest.approx((1 / ranks).mean())


def test_the_loss_is_that_of_the_paper_without_pairs_that_share_a_text(
    pretrained, rng
):
    texts = (list("abcdea"), list("mnmopq"))  # 0, 2 and 5 are connected
    tokenizer = ak.AlbertTokenizer.from_pretrained(pretrained)
    pairs = TextPairs(texts, tokenizer, 8, workers=1)
    inputs, labels = pairs.batch(np.arange(6), 8)
    assert inputs["token_ids"].shape == (6, 2, 8)
    alone = tokenizer(["d", "o"], sequence_length=8)["token_ids"]
    np.testing.assert_array_equal(inputs["token_ids"][3], alone)
    assert labels.tolist() == [0, 1, 0, 3, 4, 0]
    x = rng.normal(size=(6, 2, 4)).astype("float32")
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    similar = np.exp(unit[:, 0] @ unit[:, 1].T / 0.1)
    is_negative = labels[:, None] != labels
    own = np.diag(similar)
    expected = -np.log(own / (own + (similar * is_negative).sum(axis=1)))
    objective = in_batch_contrast(0.1)
    np.testing.assert_allclose(objective.loss(labels, x), expected, rtol=1e-5)
    hits = own > (similar * is_negative).max(axis=1)
    found = objective.metrics["accuracy"](labels, x)
    np.testing.assert_array_equal(found, hits)


def test_ranks_are_those_of_scikit_learn(rng):
    first, second = rng.normal(size=(2, 30, 4))
    for x in (first, second):
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    ranks, own = rank_pairs(first, second)
    similar = metrics.pairwise.cosine_similarity(first, second)
    np.testing.assert_allclose(own, np.diag(similar))
    mrr = metrics.label_ranking_average_precision_score(np.eye(30), similar)
    assert (1 / ranks).mean() == pytest.approx(mrr)


def test_what_cannot_be_embedded_is_refused(recipe, pretrained, tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text,embedding\na,1\n")
    base = ["--pretrained", pretrained, *LENGTH]
    for argv, message in (
        (["--input_file", path], "--mode embed needs --output_file"),
        (
            ["--input_file", path, "--output_file", tmp_path / "o.csv"],
            "already has the columns embedding",
        ),
        (
            ["--input_file", path, "--output_file", tmp_path / "o.xls"],
            "must end in",
        ),
        (
            [
                *("--input_file", path, "--text_column", "x"),
                *("--output_file", tmp_path / "o.npy"),
            ],
            "columns are: 'text', 'embedding'",
        ),
        (
            [
                *("--mode", "train", "--train_file", path),
                *("--output_dir", tmp_path / "run", "--batch_size", "1"),
            ],
            "--batch_size must be at least 2",
        ),
        (
            [
                *("--mode", "train", "--train_file", path),
                *("--output_dir", tmp_path / "run"),
            ],
            "columns are: 'text', 'embedding'.*--pair_column",
        ),
    ):
        with pytest.raises(SystemExit, match=message):
            embed(recipe, *base, *argv)
    assert [p.name for p in tmp_path.iterdir()] == ["texts.csv"]
