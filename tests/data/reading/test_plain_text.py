"""Documents written are documents read: in any script, split anywhere."""

import gzip
import random
import time

import pytest

from albert_keras.data.reading import plain_text
from albert_keras.data.reading.documents import (
    read_documents,
    read_paragraphs,
    split_into_chunks,
)
from albert_keras.data.reading.sentence_splitting import split_sentences

# Letters and the mark that ends a sentence; "" where a script has none.
SCRIPTS = {
    "Latin": ("abcdefgh ijklm Ñé", "."),
    "Cyrillic": ("абвгде жзик", "!"),
    "Greek": ("αβγδε ζηθ", ";"),
    "Arabic": ("ابتثج حخد", "؟"),
    "Hebrew": ("אבגדה וזח", "."),
    "Devanagari": ("कखगघङ चछज", "।"),
    "Thai": ("กขคฆงจฉ", ""),
    "Han": ("一二三四五天地人", "。"),
    "kana": ("あいうえおカキク", "」"),
    "Hangul": ("가나다라 마바사", "…"),
    "Georgian": ("აბგდე ვზთ", "."),
    "Tamil": ("அஆஇஈஉ எஏஐ", "?"),
}


def make_documents(rng, script, number=40, max_lines=4):
    letters, mark = SCRIPTS[script]
    return [
        [
            letters[0]
            + "".join(rng.choices(letters, k=rng.randint(1, 60))).strip()
            + mark
            for _ in range(rng.randint(1, max_lines))
        ]
        for _ in range(number)
    ]


def write(path, documents, rng):
    """Writes documents with different line endings and blank lines."""
    parts = []
    for lines in documents:
        end = rng.choice(["\n", "\r\n"])
        parts.append(end.join(lines) + rng.choice(["\n\n", "\n \t\n\n\r\n"]))
    path.write_bytes("".join(parts).encode())
    return path


def read_all(path, size):
    return [
        lines
        for chunk in split_into_chunks(path, size)
        for lines in read_paragraphs(chunk)
    ]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("max_lines", [1, 4])
def test_documents_written_are_documents_read(tmp_path, script, max_lines):
    for seed in range(2):
        rng = random.Random(seed)
        documents = make_documents(rng, script, max_lines=max_lines)
        path = write(tmp_path / "a.txt", documents, rng)
        for size in (None, 1, 37, 200, 3000):
            assert read_all(path, size) == documents


def test_scripts_in_one_file_do_not_join_each_other(tmp_path):
    rng = random.Random(0)
    documents = [
        lines
        for _ in range(30)
        for script in SCRIPTS
        for lines in make_documents(rng, script, number=1)
    ]
    path = write(tmp_path / "a.txt", documents, rng)
    for size in (None, 100, 5000):
        assert read_all(path, size) == documents


MIXED = [
    "= Title =\n\n= = Part = =\n\nOne line.",
    "Chapter One\n\nIt was a dark and stormy\nnight in the town.",
    "no heading, it is lowercase",
    "It was a dark and stormy\nnight in the town.",
    "Thirty short documents that no punctuation ends",
    "Another of them",
    "第一章\n\n天地玄黄，宇宙洪荒。\n日月盈昃，辰宿列张。",
    "\n\n".join(f"= {level} =" for level in "abcdef") + "\n\nText.",
    "= Nothing follows =",
]


def test_a_heading_needs_evidence(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(MIXED) + "\n", "utf-8")
    expected = [text.replace("\n\n", "\n").split("\n") for text in MIXED]
    for size in (None, *range(1, 200, 7)):
        assert read_all(path, size) == expected


def test_a_chain_of_headings_has_a_limit(tmp_path):
    path = tmp_path / "a.txt"
    headings = [f"= {number} =" for number in range(20)]
    path.write_text("\n\n".join([*headings, "Text."]), "utf-8")
    kept = 20 - plain_text.MAX_HEADINGS
    expected = [[line] for line in headings[:kept]]
    expected.append([*headings[kept:], "Text."])
    for size in (None, 1, 30, 50, 100):
        assert read_all(path, size) == expected


def test_any_text_has_the_same_documents_however_it_is_split(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(plain_text, "DOCUMENT_LIMIT", 50)
    monkeypatch.setattr(plain_text, "_LOOK_BACK", (16, 64))
    rng = random.Random(1)
    pieces = [
        *("\n", "\n\n", "\r\n", "  \n", "\u3000\n", "a", "Ab c", "字", "。"),
        *("x" * 130, "One. Two.\n", "Short\n\n", "= H =\n\n", "\ufeff", " "),
    ]
    path = tmp_path / "a.txt"
    for _ in range(60):
        text = "".join(rng.choices(pieces, k=rng.randint(1, 60)))
        path.write_bytes(text.encode())
        whole = read_all(path, None)
        for size in (1, 9, 40, 101):
            assert read_all(path, size) == whole, repr(text)


@pytest.mark.parametrize(
    "text, count",
    [
        ("A line.\n" * 1000, 8),  # of 125 lines, 1000 bytes
        ("word\n" * 1600, 8),
        ("A word after another. " * 400, 9),  # one line
        ("字" * 2700, 9),  # without a space
        ("\n" * 9000 + "End.", 1),
        ("." * 8000, 8),
    ],
)
def test_a_long_text_is_cut_with_one_warning(
    tmp_path, monkeypatch, text, count
):
    monkeypatch.setattr(plain_text, "DOCUMENT_LIMIT", 1000)
    path = tmp_path / "a.txt"
    path.write_text(text, "utf-8")
    whole = read_all(path, None)
    assert abs(len(whole) - count) <= 1
    joined = "".join("".join(lines) for lines in whole)
    assert joined.replace(" ", "") == text.replace("\n", "").replace(" ", "")
    for size in (300, 2000, 5000):
        assert read_all(path, size) == whole
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_all(packed, None) == whole
    if len(whole) > 1:
        with pytest.warns(UserWarning, match="a.txt .* blank line.*JSON line"):
            list(read_documents(path))


def test_text_with_blank_lines_is_never_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_text, "DOCUMENT_LIMIT", 1000)
    path = tmp_path / "a.txt"
    documents = [["A line of a document."] * 45] * 50
    path.write_text("\n\n".join(map("\n".join, documents)))
    assert read_all(path, None) == documents
    list(read_documents(path))  # a warning would be an error


@pytest.mark.parametrize("mark", [".", "!", "?!", "。", "！", '"', "…", ". "])
def test_runs_of_marks_take_linear_time(mark):
    split_sentences("A." * 10)
    start = time.process_time()
    text = f"Contents {mark * (200_000 // len(mark))}12 and so on. Then."
    assert "".join(split_sentences(text)).count(mark[0]) >= 100_000
    assert time.process_time() - start < 1  # minutes if it is quadratic
