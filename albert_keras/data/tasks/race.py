"""RACE's files: passages, questions, four options each.

Lai et al. 2017, arXiv:1704.04683.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from albert_keras.data.reading.utf8_lines import read_text_lines
from albert_keras.files.strict_json import parse_json

LEVELS = ("middle", "high")
LETTERS = "ABCD"
# All passages of a folder, a JSON object a line, as Google's release has it.
CONCATENATED_FILE = "all.txt"


@dataclasses.dataclass(frozen=True)
class RaceQuestion:
    """A question about a passage.

    Attributes:
        passage: Index of its passage in `Race.passages`.
        text: The question; "_" in it stands for the answer.
        options: Four texts.
        answer: Index of the right one, None where it is not told.
    """

    passage: int
    text: str
    options: tuple[str, ...]
    answer: int | None = None


@dataclasses.dataclass(frozen=True)
class Race:
    """Passages, and questions about them.

    Attributes:
        passages: Texts.
        passage_ids, levels: Of each passage: its id, "middle" or "high".
        questions: `RaceQuestion`s in the order of the files.
        path: The folder that they were read from.
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
            so on. A folder holds either a JSON file for each passage, as in
            the release, or `all.txt`, an object a line, as in Google's.
        split: "train", "dev" or "test".
        levels: Those to read.
        labelled: Whether the answers must be told.

    Returns:
        A `Race`.

    Raises:
        ValueError: If a folder is missing or holds no question, or a file is
            no JSON or of another shape; names file, line and place.
    """
    folder = Path(data_dir) / split
    passages, questions = [], []
    levels_of_ids = {}
    for level in levels:
        before = len(questions)
        for where, value in _objects(folder / level):
            found = _Passage(where, value, labelled)
            passages.append(found.get("article", str))
            levels_of_ids[found.new_id(levels_of_ids)] = level
            questions += found.questions(len(passages) - 1)
        if len(questions) == before:
            raise ValueError(
                f"{folder / level} holds no question. Pass a folder with some."
            )
    return Race(
        passages=tuple(passages),
        passage_ids=tuple(levels_of_ids),
        levels=tuple(levels_of_ids.values()),
        questions=tuple(questions),
        path=str(folder),
    )


def _objects(folder):
    """Yields (place, object) for each passage of a folder."""
    concatenated = folder / CONCATENATED_FILE
    files = sorted(folder.glob("*.txt"), key=_in_order)
    if concatenated in files:
        for number, line in read_text_lines(concatenated):
            if line.strip():
                where = f"{concatenated}, line {number}"
                yield where, _parse(where, line)
        return
    if not files:
        raise ValueError(
            f"{folder} holds no .txt file. --data_dir must be the folder RACE "
            "of the release, with train/middle, train/high and so on."
        )
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{path} cannot be read as UTF-8 text: {error}."
            ) from error
        yield str(path), _parse(path, text)


def _in_order(path):
    """2.txt before 10.txt."""
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
    """An object of a file, which says where it is of another shape."""

    def __init__(self, where, value, labelled):
        self.where, self.value = where, value
        self.labelled = (
            labelled or isinstance(value, dict) and ("answers" in value)
        )

    def get(self, key, kind):
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
        """Its id, which must not be among those seen."""
        name = self.get("id", str)
        if name in seen:
            raise ValueError(
                f"{self.where} has the id {name!r} of an earlier passage. "
                "Give every passage an id of its own."
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
        whole = isinstance(options, list) and len(options) == len(LETTERS)
        if not whole or not all(isinstance(o, str) for o in [text, *options]):
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
