"""Labels in tables: the problem they pose, their classes, and their weights."""

import math

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from albert_keras.data.tables.class_weights import class_weights
from albert_keras.data.tables.table_labels import (
    Labels,
    guess_problem,
    label_names,
    learn_labels,
)
from albert_keras.data.tables.text_table import (
    TextColumns,
    encode_labels,
    read_text_table,
    split_rows,
)

ONE = ("label",)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["gut", "schlecht", "", None], "single_label"),
        (["1", "2", "3", "4", "5"], "single_label"),
        ([1.0, 2.0, math.nan], "single_label"),
        ([True, False], "single_label"),
        (["a|b", "a", ""], "multi_label"),
        ([["a"], ["a", "b"], []], "multi_label"),
        (['["a", "b"]', "[]"], "multi_label"),
        (["['a', 'b']", "[]"], "multi_label"),
        (["0.5", "1", "3.25"], "regression"),
        ([*map(str, range(30)), "n/a"], "regression"),
        (["[a note] in brackets", "x"], "single_label"),
    ],
)
def test_the_problem_is_guessed_from_the_labels(cells, problem):
    assert guess_problem([(cell,) for cell in cells])[0] == problem


def test_several_columns_are_several_labels():
    labels = learn_labels([("1", "0"), ("", "yes")], ("rude", "spam"))
    assert labels.problem == "multi_label"
    assert labels.class_names == ("rude", "spam")
    assert labels.encode(("1", "0")) == [1.0, 0.0]
    unknown, yes = labels.encode(("", "yes"))
    assert math.isnan(unknown) and yes == 1.0
    with pytest.raises(ValueError, match="another label than 0 or 1"):
        labels.encode(("2", "0"))
    with pytest.raises(ValueError, match="have no label"):
        labels.encode(("", None))
    with pytest.raises(ValueError, match="Pass one `label_column`"):
        learn_labels([("1", "0")], ("rude", "spam"), "single_label")


def test_classes_are_named_in_any_language_and_in_order():
    cells = [("так себе",), ("10",), (2,), ("好",), (2.0,), (" 好 ",)]
    labels = learn_labels(cells, ONE)
    assert labels.class_names == ("2", "10", "так себе", "好")
    assert [labels.encode(cell) for cell in cells] == [2, 1, 0, 3, 0, 3]
    assert labels.to_array([2, 1]).dtype == np.int32


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a|b", ["a", "b"]),
        (" a | b c |", ["a", "b c"]),
        (["a|b", 3], ["a|b", "3"]),
        ('["a", "b"]', ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ("", []),
        (None, []),
        ("[not a list", ["[not a list"]),
    ],
)
def test_a_cell_may_hold_several_labels(cell, names):
    assert label_names(cell) == names


def test_no_labels_is_an_answer_but_a_missing_one_is_not():
    labels = learn_labels([("a|b",), ("",)], ONE)
    assert labels.encode(("",)) == [0.0, 0.0]
    assert labels.encode(("b",)) == [0.0, 1.0]
    with pytest.raises(ValueError, match="have no label"):
        labels.encode((None,))
    with pytest.raises(ValueError, match="not one of the 2 known") as error:
        labels.encode(("a|c",))
    assert error.value.found == "c"


@pytest.mark.parametrize(
    ("cells", "problem", "message"),
    [
        (["a", "a"], None, "at least two classes. Received: only 'a'"),
        ([None, ""], None, "Received: only no label"),
        (["a", "b"], "regression", "must hold numbers to predict"),
        (["", ""], "multi_label", "only no label"),
    ],
)
def test_labels_from_which_nothing_is_learned_are_refused(
    cells, problem, message
):
    with pytest.raises(ValueError, match=message):
        learn_labels([(cell,) for cell in cells], ONE, problem)


def test_rows_without_text_or_label_are_listed(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        "text,pair,label\na,b,x\n,b,x\na, ,x\na,b,\na,b,z\nbroken\na,b,y\n"
    )
    table = read_text_table(path, TextColumns("text", "pair", ONE))
    known = Labels("single_label", ("x", "y"), ONE)
    table, encoded = encode_labels(table, known)
    assert table.texts == (["a", "a"], ["b", "b"])
    assert encoded.tolist() == [0, 1]
    assert table.num_rows == 7
    assert {k.split(" (")[0]: v for k, v in table.unusable.items()} == {
        "have no text": [3, 4],
        "have no label": [5],
        "have a label that is not one of the 2 known ones": ["6: z"],
        "cannot be read": ["7: 1 columns instead of 3"],
    }
    none = Labels("single_label", ("p", "q"), ONE)
    with pytest.raises(ValueError, match="no row with a usable label"):
        encode_labels(table, none)


# === Development rows and weights ===


def test_each_class_is_divided_in_the_same_proportion():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10 + [3])
    training, dev, once = split_rows(labels, "single_label", 0.2, seed=1)
    assert once == [100]
    assert sorted([*training, *dev]) == list(range(101))
    assert np.bincount(labels[dev]).tolist() == [12, 6, 2]
    again = split_rows(labels, "single_label", 0.2, seed=1)[1]
    other = split_rows(labels, "single_label", 0.2, seed=2)[1]
    assert dev.tolist() == again.tolist() != other.tolist()
    with pytest.raises(ValueError, match="`dev_share` 0.02.*`dev_file`"):
        split_rows(labels, "single_label", 0.02, seed=1)


def test_other_problems_are_divided_too():
    several = np.array([[1, 0]] * 40 + [[1, 1]] * 20 + [[0, np.nan]], "float32")
    training, dev, once = split_rows(several, "multi_label", 0.1, seed=0)
    assert (len(training), len(dev), once) == (54, 7, [])
    numbers = np.linspace(0, 1, 50)
    training, dev, once = split_rows(numbers, "regression", 0.1, seed=0)
    assert (len(training), len(dev), once) == (45, 5, [])


def test_weights_of_classes_are_scikit_learns():
    labels = Labels("single_label", ("a", "b", "c"), ONE)
    encoded = np.array([0, 0, 0, 1, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=encoded)
    weights = class_weights("balanced", labels, encoded)
    np.testing.assert_allclose(weights, expected[encoded], rtol=1e-6)
    assert class_weights(None, labels, encoded) is None
    given = class_weights('{"b": 2, "c": 0.5}', labels, encoded)
    assert given.tolist() == [1, 1, 1, 2, 0.5, 0.5]
    assert class_weights("[1, 2, 0.5]", labels, encoded).tolist() == (
        given.tolist()
    )
    several = Labels("multi_label", ("a", "b"), ONE)
    encoded = np.array([[1, 0], [0, np.nan], [0, 1], [0, 0]])
    weights = class_weights("balanced", several, encoded)
    np.testing.assert_allclose(weights[:, 0], [2, 2 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(weights[[0, 2, 3], 1], [0.75, 1.5, 0.75])
    assert class_weights("[1, 3]", several, encoded).tolist() == [[1, 3]] * 4


@pytest.mark.parametrize(
    "text", ["even", '{"d": 1}', "[1, 2]", "[1, 2, -1]", "[0, 0, 0]", "3"]
)
def test_other_weights_are_refused(text):
    labels = Labels("single_label", ("a", "b", "c"), ONE)
    with pytest.raises(ValueError, match="`class_weights` must be 'balanced'"):
        class_weights(text, labels, np.zeros(3, int))
    with pytest.raises(ValueError, match="require classes"):
        class_weights(text, Labels("regression", (), ONE), np.zeros(3))
