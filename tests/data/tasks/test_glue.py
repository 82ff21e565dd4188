"""GLUE's files: reading, errors and truncation."""

import numpy as np
import pytest

from albert_keras.data.tasks.glue import GLUE_TASKS, read_glue
from albert_keras.data.tasks.labelled_texts import LabelledTexts

RTE = GLUE_TASKS["RTE"]
HEADER = "index\tsentence1\tsentence2\tlabel"


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="train.tsv", end="\n"):
        path = tmp_path / name
        path.write_bytes((end.join(lines) + end).encode())
        return path

    return write


# === Reading ===


def test_pairs_and_class_ids_come_by_the_names_of_their_columns(write):
    rows = read_glue(
        RTE, write(HEADER, "7\ta b\tc\tnot_entailment", "9\td\te\tentailment")
    )
    assert rows.texts == (("a b", "d"), ("c", "e"))
    assert rows.labels.tolist() == [1, 0] and rows.labels.dtype == "int32"
    assert rows.indices == ("7", "9")


def test_cola_has_no_header_but_in_its_test_file(write):
    cola = GLUE_TASKS["CoLA"]
    rows = read_glue(cola, write("gj04\t1\t\tIt is.", "gj04\t0\t*\tIs it is."))
    assert rows.texts == (("It is.", "Is it is."),)
    assert rows.labels.tolist() == [1, 0]
    assert rows.indices == ("0", "1")
    rows = read_glue(cola, write("index\tsentence", "5\tIt is."), "test")
    assert rows.texts == (("It is.",),) and rows.indices == ("5",)
    assert rows.labels is None


def test_scores_are_numbers(write):
    task = GLUE_TASKS["STS-B"]
    path = write("index\tsentence1\tsentence2\tscore", "0\ta\tb\t3.800")
    rows = read_glue(task, path)
    assert rows.labels.dtype == "float32" and task.num_classes == 1
    assert rows.labels.tolist() == [np.float32(3.8)]


def test_quotes_and_separators_of_other_kinds_are_text(write):
    text = 'He said "it\u2028is'  # an unclosed quote, a line separator
    path = write(HEADER, f"0\t{text}\t'\"'\tentailment", "1\ta\tb\tentailment")
    rows = read_glue(RTE, path)
    assert rows.texts == ((text, "a"), ("'\"'", "b"))


def test_byte_order_mark_and_carriage_returns_are_left_out(write):
    path = write("\ufeff" + HEADER, "0\ta\tb\tentailment", end="\r\n")
    assert read_glue(RTE, path).labels.tolist() == [0]


def test_every_task_has_its_official_files_and_submissions():
    submissions = [n for task in GLUE_TASKS.values() for n in task.test_files]
    assert sorted(submissions) == sorted(
        "CoLA.tsv SST-2.tsv MRPC.tsv STS-B.tsv QQP.tsv MNLI-m.tsv "
        "MNLI-mm.tsv QNLI.tsv RTE.tsv WNLI.tsv".split()
    )
    assert list(GLUE_TASKS["MNLI"].dev_files.values()) == [
        "dev_matched.tsv",
        "dev_mismatched.tsv",
    ]


# === Errors ===


@pytest.mark.parametrize(
    "lines, message",
    [
        (["index\tsentence1\tlabel", "0\ta\tentailment"], "line 1 .*sentence2"),
        (["index,sentence1,sentence2,label"], "line 1 must name the columns"),
        ([HEADER, "0\ta\tb\tentailment", "1\ta\tb"], "line 3: .*4 columns"),
        ([HEADER, '0\t"a\tb\tb"\tentailment'], "line 2: .*Received: 5"),
        ([HEADER, "0\ta\tb\tEntailment"], "line 2: .*entailment, not_entail"),
        ([HEADER], "holds no row"),
        ([""], "line 1 must name the columns"),
    ],
)
def test_a_wrong_file_is_refused_by_line(write, lines, message):
    path = write(*lines)
    with pytest.raises(ValueError, match=f"train.tsv.*{message}"):
        read_glue(RTE, path)


@pytest.mark.parametrize("score", ["x", "5.1", "-1", "nan", ""])
def test_a_score_that_is_none_is_refused(write, score):
    path = write("index\tsentence1\tsentence2\tscore", f"0\ta\tb\t{score}")
    with pytest.raises(ValueError, match="line 2: .*a number from 0 to 5"):
        read_glue(GLUE_TASKS["STS-B"], path)


def test_missing_files_and_other_encodings_are_told(tmp_path):
    with pytest.raises(ValueError, match="does not exist.*folder RTE"):
        read_glue(RTE, tmp_path / "train.tsv")
    (tmp_path / "empty.tsv").write_bytes(b"")
    with pytest.raises(ValueError, match="empty.tsv.*Missing: sentence1"):
        read_glue(RTE, tmp_path / "empty.tsv", "dev")
    (tmp_path / "latin.tsv").write_bytes(HEADER.encode() + b"\n0\t\xe9\ta\tb\n")
    with pytest.raises(ValueError, match="not UTF-8 text: line 2"):
        read_glue(RTE, tmp_path / "latin.tsv")


def test_a_few_torn_lines_of_a_large_training_file_are_listed(write):
    lines = [f"{n}\ta\tb\tentailment" for n in range(2000)]
    path = write(HEADER, *lines[:3], "torn", *lines[3:])
    rows = read_glue(RTE, path)
    assert rows.malformed == (5,) and len(rows) == 2000
    # Predictions for a development set must be complete.
    with pytest.raises(ValueError, match="line 5: expected 4 columns"):
        read_glue(RTE, path, "dev")


# === Encoding ===


def google_truncation(first, second, room):
    """Pops tokens from the longer text, from the second on a tie."""
    first, second = list(first), list(second)
    while len(first) + len(second) > room:
        (first if len(first) > len(second) else second).pop()
    return first, second


def test_pairs_are_cut_as_in_googles_release(store, rng):
    tokenizer = store.tokenizer
    texts = [
        [" ".join(["bade"] * n) for n in rng.integers(0, 9, 30)]
        for _ in range(2)
    ]
    examples = LabelledTexts(texts, np.arange(30), tokenizer, 12)
    order = rng.permutation(30)
    inputs, labels = examples.batch(order, 12)
    assert labels.tolist() == order.tolist()
    cut = []
    for row, index in enumerate(order):
        ids = [tokenizer.encode([part[index]])[0] for part in texts]
        first, second = google_truncation(*ids, 9)
        if [first, second] != ids:
            cut.append(index)
        cls, sep = [tokenizer.cls_id], [tokenizer.sep_id]
        expected = cls + first + sep + second + sep
        length = len(expected)
        assert examples.lengths[index] == length
        padded = expected + [tokenizer.pad_id] * (12 - length)
        assert inputs["token_ids"][row].tolist() == padded
        segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
        segments += [0] * (12 - length)
        assert inputs["segment_ids"][row].tolist() == segments
        assert inputs["padding_mask"][row].sum() == length
    assert examples.cut.tolist() == sorted(cut) and cut


def test_single_texts_are_cut_at_the_end(store):
    tokenizer = store.tokenizer
    text = " ".join(["bade"] * 20)
    examples = LabelledTexts([[text, "rigo"]], None, tokenizer, 10)
    inputs, labels = examples.batch(np.array([0]), 10)
    assert labels is None and examples.cut.tolist() == [0]
    expected = tokenizer.encode([text])[0][:8]
    assert inputs["token_ids"][0, 1:9].tolist() == expected
    with pytest.raises(ValueError, match="must leave room.*Received: 2"):
        LabelledTexts([[text]], None, tokenizer, 2)


def test_labels_that_are_names_are_refused_with_what_to_do(store):
    message = "must be numbers.*Received: 'neg', 'pos'.*class_names"
    with pytest.raises(ValueError, match=message):
        LabelledTexts([["a", "b"]], ["pos", "neg"], store.tokenizer, 10)
