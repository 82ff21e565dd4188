"""Reads token classification files: a word and its tag per line.

The format of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003,
arXiv:cs/0306050).
"""

import dataclasses
from pathlib import Path

from albert_keras.data.reading.utf8_lines import read_text_lines

DOCUMENT_START = "-DOCSTART-"


@dataclasses.dataclass(frozen=True)
class ConllSentence:
    """A sentence: the lines of its words.

    Attributes:
        rows: The columns of each line.
        line: Number of its first line in the file.
    """

    rows: tuple[tuple[str, ...], ...]
    line: int

    @property
    def words(self) -> list[str]:
        """The first column of each line."""
        return [row[0] for row in self.rows]


@dataclasses.dataclass(frozen=True)
class Conll:
    """The sentences of a file.

    Attributes:
        sentences: `ConllSentence`s in file order.
        path: The file.
        has_tags: Whether the last column is a tag.
    """

    sentences: tuple[ConllSentence, ...]
    path: Path
    has_tags: bool = True

    @property
    def tags(self) -> list[list[str]]:
        """The tags of each sentence, a list of lists."""
        return [[row[-1] for row in s.rows] for s in self.sentences]

    @property
    def tag_names(self) -> tuple[str, ...]:
        """The distinct tags, sorted, "O" first."""
        names = {tag for tags in self.tags for tag in tags}
        return tuple(sorted(names, key=lambda name: (name != "O", name)))

    @property
    def num_words(self) -> int:
        return sum(len(sentence.rows) for sentence in self.sentences)


def read_conll(path: str | Path, has_tags: bool = True) -> Conll:
    """Reads a file with one word per line and a blank line between sentences.

    The first column is the word and the last its tag; columns in between are
    kept for the file of predictions. Columns are separated by tabs if the
    line has any, else by spaces. Lines that start with `-DOCSTART-` end a
    sentence.

    Args:
        path: The file.
        has_tags: Whether the last column is a tag. If False, a line may be a
            word alone.

    Returns:
        A `Conll`.

    Raises:
        ValueError: If the file is missing, is not UTF-8 or has no words, or a
            line has no tag or not as many columns as the first; names file
            and line.
    """
    path = Path(path)
    sentences, rows, first = [], [], None
    for number, line in read_text_lines(path, "Pass a file in CoNLL's format."):
        columns = _split(line)
        ends_sentence = not columns or columns[0] == DOCUMENT_START
        if not ends_sentence:
            first = first or (number, len(columns))
            _check(path, number, columns, first, has_tags)
            rows.append(columns)
        elif rows:
            sentences.append(ConllSentence(tuple(rows), number - len(rows)))
            rows = []
    if rows:
        sentences.append(ConllSentence(tuple(rows), number - len(rows) + 1))
    if not sentences:
        raise ValueError(f"{path} holds no word. Pass another file.")
    return Conll(tuple(sentences), path, has_tags)


def _split(line):
    if "\t" in line:
        columns = [column.strip(" ") for column in line.split("\t")]
        return tuple(columns) if any(columns) else ()
    return tuple(column for column in line.split(" ") if column)


def _check(path, number, columns, first, has_tags):
    first_number, expected = first
    where = f"{path}, line {number}"
    received = f"Received: {' '.join(columns)!r:.80}."
    if has_tags and len(columns) < 2:
        raise ValueError(
            f"{where}: expected a word and, in the last column, its tag, "
            f"separated by tabs or spaces. {received}"
        )
    if len(columns) != expected:
        raise ValueError(
            f"{where}: expected {expected} columns, as on line "
            f"{first_number}. {received}"
        )
    if not columns[0] or (has_tags and not columns[-1]):
        raise ValueError(f"{where}: word or tag is empty. {received}")
