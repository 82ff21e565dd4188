"""Text files are read as documents of sentences."""

import pytest

from albert_keras.data.reading.compressed_files import find_files
from albert_keras.data.reading.documents import read_documents
from albert_keras.data.reading.sentence_splitting import split_sentences


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_blank_lines_and_the_end_of_the_file_end_documents(tmp_path):
    path = write(tmp_path / "a.txt", "One. Two.\nThree.\n\n \n\nFour.\nFive.")
    assert list(read_documents(path)) == [
        ["One.", "Two.", "Three."],
        ["Four.", "Five."],
    ]


def test_a_heading_opens_the_document_that_follows(tmp_path):
    path = write(
        tmp_path / "a.txt", "= Title =\n\n= Part =\n\nText here. More.\n\nEnd"
    )
    assert list(read_documents(path)) == [
        ["= Title =", "= Part =", "Text here.", "More."],
        ["End"],
    ]


def test_json_lines_hold_one_document_each(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        '{"text": "One. Two.\\nThree.", "id": 1}\n\n{"text": "Four."}\n',
    )
    assert list(read_documents(path)) == [
        ["One.", "Two.", "Three."],
        ["Four."],
    ]


@pytest.mark.parametrize(
    "paragraph, sentences",
    [
        ("It rains. He stays.", ["It rains.", "He stays."]),
        ("Dr. Smith met J. R. Jones.", ["Dr. Smith met J. R. Jones."]),
        ("The U.S. Army left. It ended.", ["The U.S. Army left.", "It ended."]),
        ("He said “Go!” Then left.", ["He said “Go!”", "Then left."]),
        ("Is it? Yes! 3 of them.", ["Is it?", "Yes!", "3 of them."]),
        ("It costs 3.5 kg. ok.", ["It costs 3.5 kg. ok."]),
        (
            "WikiText puts spaces . It does .",
            ["WikiText puts spaces .", "It does ."],
        ),
        ("  ", []),
    ],
)
def test_sentences_end_at_marks_before_capitals(paragraph, sentences):
    assert split_sentences(paragraph) == sentences


def test_progress_counts_every_byte(tmp_path):
    path = write(tmp_path / "a.txt", "Grüße.\n\nEnde.\n")
    counted = []
    list(read_documents(path, counted.append))
    assert sum(counted) == path.stat().st_size


def test_a_file_that_is_not_utf8_is_refused_with_line_and_remedy(tmp_path):
    path = write(tmp_path / "latin.txt", "Fine.\nGrüße.\n", "latin-1")
    with pytest.raises(
        ValueError, match="latin.txt is not UTF-8.*line 2.*iconv"
    ):
        list(read_documents(path))


@pytest.mark.parametrize(
    "line", ["no json", '{"body": "x"}', '{"text": 3}', "[1]"]
)
def test_a_line_that_is_no_document_is_refused_with_its_number(tmp_path, line):
    path = write(tmp_path / "a.jsonl", '{"text": "Fine."}\n' + line + "\n")
    with pytest.raises(ValueError, match="a.jsonl, line 2"):
        list(read_documents(path))


def test_missing_and_empty_files_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="No file matches.*nothing"):
        find_files([str(tmp_path / "nothing*.txt")])
    write(tmp_path / "empty.txt", "")
    with pytest.raises(ValueError, match="empty.txt is empty"):
        find_files(str(tmp_path / "*.txt"))


def test_files_of_overlapping_patterns_come_once_and_in_order(tmp_path):
    for name in "bac":
        write(tmp_path / f"{name}.txt", name)
    found = find_files([str(tmp_path / "[ab].txt"), str(tmp_path / "*.txt")])
    assert [path.stem for path in found] == ["a", "b", "c"]
