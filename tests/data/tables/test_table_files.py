"""Tables of texts: every row is read, or listed with its line."""

import csv
import json

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert_keras.data.tables.table_files import open_table
from albert_keras.data.tables.table_writer import write_table

NEEDED = {"text_column": ("text",), "label_column": ("label",)}
CELLS = st.text(st.sampled_from(list("aä\",;\t\n|'\\ \u2028")), max_size=6)


def read(path, needed=NEEDED, **kwargs):
    """All rows with their lines, and the broken ones."""
    table = open_table(path, needed, **kwargs)
    return list(table.rows()), table.broken


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1), st.sampled_from(",;\t|"))
def test_what_pandas_writes_is_read(tmp_path, rows, delimiter):
    path = tmp_path / "table.csv"
    # A first row in which nothing is empty: pandas quotes lone empty cells.
    rows = [("first", "x"), *rows]
    if delimiter == "\t":  # lines with all cells are rows, see below
        rows = [tuple(c.replace("\t", " ") for c in row) for row in rows]
    frame = pandas.DataFrame(rows, columns=["text", "label"])
    frame.to_csv(
        path,
        index=False,
        sep=delimiter,
        quoting=csv.QUOTE_ALL,
        lineterminator="\n",
    )
    found, broken = read(path)
    assert [tuple(cells) for _, cells in found] == rows
    assert broken == {}
    # The line of a row follows from the line breaks above it.
    line = 2
    for (number, _), cells in zip(found, rows, strict=True):
        assert number == line
        line += 1 + sum(cell.count("\n") for cell in cells)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_what_is_written_is_read(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    rows = [['a, "b"\nc', "x"], ["ü\t|", "нет"], ["", "x"]]
    with write_table(path, ("text", "label")) as write:
        write(rows[:2])
        assert not path.exists()
        write(rows[2:])
    found, broken = read(path)
    assert [cells for _, cells in found] == rows
    assert broken == {}


def test_lists_are_written_as_text_where_there_are_no_lists(tmp_path):
    path = tmp_path / "table.csv"
    with write_table(path, ("a", "b", "c")) as write:
        write([[["x", "y"], [], ["p|q"]], [[0.5, 0.25], None, {"k": 1}]])
    with path.open(newline="") as file:
        assert list(csv.reader(file))[1:] == [
            ["x|y", "", '["p|q"]'],
            ["0.5|0.25", "", '{"k": 1}'],
        ]


def test_broken_rows_are_listed_by_line_and_hide_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(
        b'\xef\xbb\xbftext,label\r\n"a, ""b""\r\nc",x\r\n'  # lines 1 to 3
        b"one cell\r\n"  # 4
        b"three,cells,here\r\n"  # 5
        b'"never closed,x\r\n'  # 6
        b"good,x\r\n"  # 7
        b"not \xff UTF-8,x\r\n"  # 8
        b'"text" after,x\r\n'  # 9
        b"\r\n"  # 10, blank
        b"trailing,x,,\r\n"  # 11
        b'"a",x\r\n"b",x\r\n"c",x\r\n'  # 12 to 14
        b"last,x"
    )
    found, broken = read(path)
    assert [line for line, _ in found] == [2, 7, 11, 12, 13, 14, 15]
    assert found[0][1] == ['a, "b"\r\nc', "x"]
    assert found[2][1] == ["trailing", "x"]
    assert sorted(broken) == [4, 5, 6, 8, 9]
    assert broken[4] == "1 columns instead of 2"
    assert "utf-8" in broken[8]


def test_quotes_within_texts_between_tabs_are_text(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text(
        'text\tlabel\n"Hi" he said\tx\nan "inner" one\tx\n"a\nb"\tx\n'
        '"open\tx\nend\tx\n'
    )
    found, broken = read(path)
    texts = [cells[0] for _, cells in found]
    assert texts == ['"Hi" he said', 'an "inner" one', "a\nb", '"open', "end"]
    assert broken == {}


def test_lines_between_tabs_are_rows_even_if_quotes_could_join_them(tmp_path):
    path = tmp_path / "msr.tsv"
    rows = [
        ["1", 'He said : "', "x"],
        ["2", '" Yes', "x"],
        ["3", "and no quote", "x"],
        ["4", 'no "', "x"],
        ["5", '"in the last cell', '"\u2028'],
        ["6", "end", '"'],
    ]
    lines = ["id\ttext\tlabel", *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines))
    found, broken = read(path)
    assert [cells for _, cells in found] == rows
    assert [line for line, _ in found] == [2, 3, 4, 5, 6, 7]
    assert broken == {}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "größer"),
        ("utf-8-sig", "größer"),
        ("utf-16", "größer"),
        ("utf-16-le", "größer und länger"),
        ("cp1251", "хороший фильм, спасибо; очень понравилось"),
        ("cp1252", "größer und schöner, naïve café"),
    ],
)
def test_the_encoding_is_found_out(tmp_path, encoding, text):
    path = tmp_path / "table.csv"
    rows = [[f"{text} {number}", "x"] for number in range(20)]
    lines = ["text\tlabel", *("\t".join(row) for row in rows)]
    path.write_bytes("\n".join(lines).encode(encoding))
    assert [cells for _, cells in read(path)[0]] == rows
    assert [cells for _, cells in read(path, encoding=encoding)[0]] == rows


def test_a_file_of_one_column_is_not_divided(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text('text\nfirst, with a comma\n"quoted, too"\n')
    rows, broken = read(path, {"text_column": ("text",)})
    assert [cells for _, cells in rows] == [
        ["first, with a comma"],
        ["quoted, too"],
    ]
    assert broken == {}


def test_json_lines_keep_types_and_list_broken_lines(tmp_path):
    path = tmp_path / "table.jsonl"
    lines = [
        json.dumps({"text": "a", "label": ["x", "y"]}),
        "",
        "{broken",
        json.dumps({"text": "b", "more": 1.5}),
        "[1, 2]",
        json.dumps({"text": "c", "label": None}),
    ]
    path.write_text("\n".join(lines))
    table = open_table(path, NEEDED)
    assert table.columns == ("text", "label", "more")
    assert list(table.rows()) == [
        (1, ["a", ["x", "y"], None]),
        (4, ["b", None, 1.5]),
        (6, ["c", None, None]),
    ]
    assert sorted(table.broken) == [3, 5]


def test_parquet_counts_its_rows(tmp_path):
    path = tmp_path / "table.parquet"
    columns = {"text": ["a", None, "c"], "label": [[1], [], None]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    found, broken = read(path)
    assert found == [(1, ["a", [1]]), (2, [None, []]), (3, ["c", None])]
    assert broken == {}


def test_a_large_file_is_not_read_before_its_first_row(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("text,label\n" + "a long text,x\n" * 500_000)
    size = path.stat().st_size
    seen = []
    rows = open_table(path, NEEDED).rows(seen.append)
    next(rows)
    assert sum(seen) < size / 10
    rows.close()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t.csv",
            "Text,label\na,b\n",
            "no column 'text'. Its .* are: 'Text', 'label'.*`text_column`",
        ),
        (
            "t.csv",
            "text;klasse\na;b\n",
            "no column 'label'.* are: 'text', 'klasse'.*`label_column`",
        ),
        ("t.csv", "text,text,label\na,b,c\n", "has 2 columns 'text'"),
        ("t.csv", "", "no first line"),
        ("t.jsonl", "nothing\n", "no line with a JSON object"),
        ("t.parquet", "text,label\n", "not a Parquet file"),
        ("t.xlsx", "PK", "must be a table.*Export it as CSV"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_a_file_most_of_whose_rows_are_broken_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("text,label\na,b\n" + "free text without cells\n" * 3)
    with pytest.raises(ValueError, match="3 of 4 rows.*line 3: 1 columns"):
        read(path)
    with pytest.raises(ValueError, match="does not exist"):
        open_table(tmp_path / "none.csv", NEEDED)
    with pytest.raises(ValueError, match="`encoding` must be a name.*'utf-9'"):
        open_table(path, NEEDED, encoding="utf-9")


def test_only_known_suffixes_are_written(tmp_path):
    with pytest.raises(ValueError, match="must end in .csv"):
        with write_table(tmp_path / "table.xls", ("a",)):
            pass
