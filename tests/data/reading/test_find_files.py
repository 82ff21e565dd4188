"""Paths that exist are found; links are followed once."""

import os

import pytest

from albert_keras.data.reading.compressed_files import find_files


def make(directory, *names):
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Text.")


@pytest.mark.parametrize(
    "name", ["corpus [v1]", "a*b", "what?", "[", "]x[", "**", "{a,b}", "a\\b"]
)
def test_a_path_that_exists_is_found_whatever_its_characters(tmp_path, name):
    make(tmp_path / name, "a.txt", "[b].txt")
    make(tmp_path / "corpus v", "c.txt")
    found = [tmp_path / name / "[b].txt", tmp_path / name / "a.txt"]
    assert find_files(tmp_path / name) == found
    assert find_files(str(tmp_path / name / "*.txt")) == found
    for path in found:
        assert find_files(path) == [path]


def test_patterns_match_as_the_shell_does(tmp_path, monkeypatch):
    make(tmp_path, "a1.txt", "b/a2.txt", "b/c/a3.txt", "b/c/x.md", ".h/a4.txt")
    monkeypatch.chdir(tmp_path)
    for pattern, names in {
        "*.txt": ["a1.txt"],
        "b/[ab]?.txt": ["b/a2.txt"],
        "**/*.txt": ["a1.txt", "b/a2.txt", "b/c/a3.txt"],
        "b/**": ["b/a2.txt", "b/c/a3.txt", "b/c/x.md"],
        "**/c": ["b/c/a3.txt", "b/c/x.md"],
        "**/[!a]*.md": ["b/c/x.md"],
        "./b/c": ["b/c/a3.txt", "b/c/x.md"],
        ".": ["a1.txt", "b/a2.txt", "b/c/a3.txt", "b/c/x.md"],
    }.items():
        assert [str(path) for path in find_files(pattern)] == names, pattern
    assert find_files(["b", "b/c", "**/*.md"]) == find_files("b")


def test_links_to_directories_are_followed_once(tmp_path):
    make(tmp_path / "texts", "real/a.txt", "z.txt")
    make(tmp_path / "elsewhere", "b.txt")
    texts = tmp_path / "texts"
    os.symlink(texts, texts / "real" / "loop")
    os.symlink(texts / "real", texts / "alias")
    os.symlink(tmp_path / "elsewhere", texts / "one")
    os.symlink(tmp_path / "elsewhere", texts / "two")
    os.symlink(tmp_path / "nowhere", texts / "broken")
    os.symlink(texts / "itself", texts / "itself")
    names = ["one/b.txt", "real/a.txt", "z.txt"]
    for pattern in (texts, f"{texts}/**", f"{texts}/**/*.txt"):
        found = [str(path.relative_to(texts)) for path in find_files(pattern)]
        assert found == names
    assert len(find_files([texts / "one", texts / "two"])) == 1
    assert len(find_files(f"{texts}/*/b.txt")) == 1
