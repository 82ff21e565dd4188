"""Any content of a table gives rows, or a `ValueError` with the file's name."""

import io

import hypothesis
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import strategies as st

from albert_keras.data.tables.table_labels import learn_labels
from albert_keras.data.tables.text_table import (
    TextColumns,
    encode_labels,
    read_text_table,
)
from tests.safety.damage import DEEP, contents, reads_or_refuses

CSV = b'text,label\n"a, ""b""\nc",x\nd,y\n'
JSON = b'{"text": "a", "label": ["x"]}\n{"text": "b", "label": "y|x"}\n'


def parquet():
    file = io.BytesIO()
    table = pyarrow.table({"text": ["a", "b"], "label": [1, 2]})
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any_table")


def read(path):
    """Reads a table up to the arrays that a model is trained on."""
    table = read_text_table(path, TextColumns("text", None, ("label",)))
    try:
        labels = learn_labels(table.cells, ("label",))
        table, encoded = encode_labels(table, labels)
    except ValueError as error:  # names the column
        assert "'label'" in str(error) or str(path) in str(error)
    else:
        assert len(encoded) == len(table)


@hypothesis.given(content=contents(CSV))
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_delimited_text(folder, name, content):
    path = folder / name
    reads_or_refuses(lambda: read(path), path, content)


@hypothesis.given(content=contents(JSON))
@hypothesis.example(content=DEEP)
def test_json_lines(folder, content):
    path = folder / "t.jsonl"
    reads_or_refuses(lambda: read(path), path, content)


@hypothesis.given(content=contents(parquet()))
def test_parquet(folder, content):
    path = folder / "t.parquet"
    reads_or_refuses(lambda: read(path), path, content)


@hypothesis.given(
    cells=st.lists(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(alphabet="[]{}'\"|,1 a", max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=2), inner, max_size=2)
            ),
            max_leaves=4,
        ),
        max_size=6,
    )
)
def test_labels_of_any_type(cells):
    rows = [(cell,) for cell in cells]
    try:
        labels = learn_labels(rows, ("label",))
    except ValueError as error:
        assert "'label'" in str(error)
        return
    assert labels.num_classes >= 1
