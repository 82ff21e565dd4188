"""Reads RACE: passages, with questions of four options each.

Lai et al. 2017, arXiv:1704.04683.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from albert_keras.data.reading.utf8_lines import read_text_lines
from albert_keras.files.strict_json import parse_json
from albert_keras.files.text_files import read_text
from albert_keras.tokenization.text_list import text_list

LEVELS = ("middle", "high")
LETTERS = "ABCD"
# All passages of a folder, one JSON object per line, as in Google's release.
CONCATENATED_FILE = "all.txt"


@dataclasses.dataclass(frozen=True)
class RaceQuestion:
    """A question about a passage.

    Attributes:
        passage: Index of its passage in `Race.passages`.
        text: The question; "_" in it marks the blank to fill.
        options: Four texts.
        answer: Index of the correct option, or None if unknown.
    """

    passage: int
    text: str
    options: tuple[str, ...]
    answer: int | None = None


@dataclasses.dataclass(frozen=True)
class Race:
    """Passages and the questions about them.

    Attributes:
        passages: Texts.
        passage_ids, levels: Id and level ("middle" or "high") of each
            passage.
        questions: `RaceQuestion`s in file order.
        path: The folder of the split.
    """

    passages: tuple[str, ...]
    passage_ids: tuple[str, ...]
    levels: tuple[str, ...]
    questions: tuple[RaceQuestion, ...]
    path: str = ""


def read_race(
    data_dir: str | Path,
    split: str,
    levels: Sequence[str] = LEVELS,
    labelled: bool = True,
) -> Race:
    """Reads a split of RACE.

    Args:
        data_dir: The folder `RACE` of the release, with `train/middle/` and
            so on. A folder holds either one JSON file per passage, as in the
            release, or `all.txt` with one object per line, as in Google's.
        split: "train", "dev" or "test".
        levels: The levels to read.
        labelled: Whether the files must contain the answers.

    Returns:
        A `Race`.

    Raises:
        ValueError: If a folder is missing or holds no question, a file is not
            JSON or not in RACE's format (names file, line and place), or
            `levels` is a string.
    """
    folder = Path(data_dir) / split
    passages, questions = [], []
    levels_of_ids = {}
    for level in text_list(levels, "levels"):
        before = len(questions)
        for where, value in _objects(folder / level):
            found = _Passage(where, value, labelled)
            passages.append(found.get("article", str))
            levels_of_ids[found.new_id(levels_of_ids)] = level
            questions += found.questions(len(passages) - 1)
        if len(questions) == before:
            raise ValueError(
                f"{folder / level} holds no question. Pass another folder."
            )
    return Race(
        passages=tuple(passages),
        passage_ids=tuple(levels_of_ids),
        levels=tuple(levels_of_ids.values()),
        questions=tuple(questions),
        path=str(folder),
    )


def _objects(folder):
    """Yields (place, JSON object) of each passage of a folder."""
    concatenated = folder / CONCATENATED_FILE
    files = sorted(folder.glob("*.txt"), key=_numeric_order)
    if concatenated in files:
        for number, line in read_text_lines(concatenated):
            if line.strip():
                where = f"{concatenated}, line {number}"
                yield where, _parse(where, line)
        return
    if not files:
        raise ValueError(
            f"{folder} holds no .txt file. `data_dir` must be the folder RACE "
            "of the release, with train/middle, train/high and so on."
        )
    for path in files:
        try:
            text = read_text(path)
        except OSError as error:
            raise ValueError(
                f"{path} cannot be read: {error}. Download it again."
            ) from error
        yield str(path), _parse(path, text)


def _numeric_order(path):
    """Sort key that puts 2.txt before 10.txt."""
    stem = path.stem
    return (int(stem) if stem.isdecimal() else -1, stem)


def _parse(where, text):
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(
            f"{where} is not JSON: {error}. Download it again."
        ) from error


class _Passage:
    """The JSON object of a passage; its errors name the place."""

    def __init__(self, where, value, labelled):
        self.where, self.value = where, value
        self.labelled = (
            labelled or isinstance(value, dict) and ("answers" in value)
        )

    def get(self, key, kind):
        """The value of `key`, which must be of the type `kind`."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        if isinstance(value, kind):
            return value
        expected = {str: "a string", list: "a list"}[kind]
        received = (
            f"{value!r:.60}"
            if value is not None
            else f"the keys {sorted(self.value)}"
            if isinstance(self.value, dict)
            else f"{type(self.value).__name__} in place of an object"
        )
        raise ValueError(
            f"{self.where} is not in RACE's format: {key!r} must be "
            f"{expected}. Received: {received}."
        )

    def new_id(self, seen):
        """Its id, which must be new."""
        name = self.get("id", str)
        if name in seen:
            raise ValueError(
                f"{self.where} has the id {name!r} of an earlier passage. "
                "Give every passage a unique id."
            )
        return name

    def questions(self, passage):
        texts = self.get("questions", list)
        options = self.get("options", list)
        answers = [None] * len(texts)
        if self.labelled:
            answers = self.get("answers", list)
        if not len(texts) == len(options) == len(answers):
            raise ValueError(
                f"{self.where} is not in RACE's format: there must be "
                "options and an answer for each question. Received: "
                f"{len(texts)} questions, {len(options)} lists of options, "
                f"{len(answers)} answers."
            )
        rows = zip(texts, options, answers, strict=True)
        return [
            self._question(passage, number, *row)
            for number, row in enumerate(rows)
        ]

    def _question(self, passage, number, text, options, answer):
        place = f"{self.where}, question {number}"
        has_all = isinstance(options, list) and len(options) == len(LETTERS)
        if not has_all or not all(isinstance(o, str) for o in [text, *options]):
            raise ValueError(
                f"{place} is not in RACE's format: it must be a string with "
                f"{len(LETTERS)} strings as options. Received: {text!r:.60}, "
                f"{options!r:.120}."
            )
        if self.labelled and not (
            isinstance(answer, str) and len(answer) == 1 and answer in LETTERS
        ):
            raise ValueError(
                f"{place}: the answer must be one of {', '.join(LETTERS)}. "
                f"Received: {answer!r:.60}."
            )
        return RaceQuestion(
            passage=passage,
            text=text,
            options=tuple(options),
            answer=LETTERS.index(answer) if self.labelled else None,
        )
