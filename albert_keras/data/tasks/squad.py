"""Reads SQuAD: paragraphs of articles, questions and answers.

Both versions, as published: 1.1 (Rajpurkar et al. 2016, arXiv:1606.05250) and
2.0 (Rajpurkar et al. 2018, arXiv:1806.03822).
"""

import dataclasses
from pathlib import Path

from albert_keras.files.strict_json import parse_json
from albert_keras.files.text_files import read_text


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer: its text, and the character where it begins."""

    text: str
    start: int


@dataclasses.dataclass(frozen=True)
class Question:
    """A question about a paragraph.

    Attributes:
        id: Unique id in the file.
        text: The question.
        paragraph: Index of its paragraph in `Squad.paragraphs`.
        answers: The annotators' answers; empty if it is unanswerable, that
            is, marked `is_impossible` or without answers in the file.
        title: Title of the article.
        ignored_answers: The answers in the file if it is marked
            `is_impossible` nevertheless. Only the official metrics count
            them.
    """

    id: str
    text: str
    paragraph: int
    answers: tuple[Answer, ...] = ()
    title: str = ""
    ignored_answers: tuple[Answer, ...] = ()


@dataclasses.dataclass(frozen=True)
class Squad:
    """Paragraphs and the questions about them.

    Attributes:
        paragraphs: Texts.
        questions: `Question`s in file order.
        version: "1.1", where every question has an answer, or "2.0".
        path: The file.
        has_answers: Whether the file contains answers.
    """

    paragraphs: tuple[str, ...]
    questions: tuple[Question, ...]
    version: str
    path: str = ""
    has_answers: bool = True

    @property
    def num_unanswerable(self) -> int:
        return sum(not question.answers for question in self.questions)

    @property
    def ignored_answers(self) -> tuple[str, ...]:
        """Ids of the questions with ignored answers."""
        return tuple(q.id for q in self.questions if q.ignored_answers)


def read_squad(path: str | Path) -> Squad:
    """Reads a file in the official format.

    As in Google's and Hugging Face's scripts, a question that is marked
    `is_impossible` has no answer, even if the file lists some, and
    `plausible_answers` do not count.

    Args:
        path: A `.json` file of SQuAD 1.1 or 2.0. If no question has the key
            "answers", the file is for prediction only.

    Returns:
        A `Squad`. Its version is 2.0 if the file says so or a question has no
        answer.

    Raises:
        ValueError: If the file is missing, is not JSON or not in SQuAD's
            format (names the place), holds no question, or has duplicate ids.
    """
    path = Path(path)
    reader = _Reader(path)
    for a, article in enumerate(reader.get(reader.root, "data", list, "")):
        where = f"data[{a}]"
        title = article.get("title", "") if isinstance(article, dict) else ""
        paragraphs = reader.get(article, "paragraphs", list, where)
        for p, paragraph in enumerate(paragraphs):
            reader.add(paragraph, title, f"{where}.paragraphs[{p}]")
    return reader.finish()


class _Reader:
    """Collects the content of a file; its errors name the place."""

    def __init__(self, path):
        self.path = path
        self.root = self._load()
        self.paragraphs, self.questions = [], {}
        # Numbers of questions with the key "answers", and of those with
        # neither that nor the mark `is_impossible`.
        self.answered = self.unknown = 0

    def _load(self):
        try:
            text = read_text(self.path)
        except FileNotFoundError as error:
            raise ValueError(
                f"{self.path} does not exist. Pass a SQuAD file, such as "
                "train-v2.0.json."
            ) from error
        except OSError as error:
            raise ValueError(
                f"{self.path} cannot be read: {error}. Pass a SQuAD file."
            ) from error
        try:
            return parse_json(text)
        except ValueError as error:
            raise ValueError(
                f"{self.path} is not a JSON file: {error}. Download it again."
            ) from error

    def get(self, node, key, kind, where):
        """`node[key]`, which must be of the type `kind`."""
        value = node.get(key) if isinstance(node, dict) else None
        if isinstance(value, kind) and not isinstance(value, bool):
            return value
        place = f"{where}.{key}" if where else key
        raise ValueError(
            f"{self.path} is not in SQuAD's format: {place} must be "
            f"{_NAMES[kind]}. Received: {_shown(node, key)}."
        )

    def add(self, paragraph, title, where):
        number = len(self.paragraphs)
        self.paragraphs.append(self.get(paragraph, "context", str, where))
        for q, item in enumerate(self.get(paragraph, "qas", list, where)):
            place = f"{where}.qas[{q}]"
            name = self.get(item, "id", str, place)
            text = self.get(item, "question", str, place)
            is_impossible = self._is_impossible(item, place)
            answers = self._answers(item, place, is_impossible)
            question = Question(
                id=name,
                text=text,
                paragraph=number,
                answers=() if is_impossible else answers,
                title=title,
                ignored_answers=answers if is_impossible else (),
            )
            if question.id in self.questions:
                raise ValueError(
                    f"{self.path}: {place} has the id {question.id!r} of an "
                    "earlier question. Give every question a unique id."
                )
            self.questions[question.id] = question

    def _answers(self, item, place, is_impossible):
        if "answers" not in item:
            self.unknown += not is_impossible
            return ()
        self.answered += 1
        return tuple(
            Answer(
                self.get(answer, "text", str, f"{place}.answers[{n}]"),
                self.get(answer, "answer_start", int, f"{place}.answers[{n}]"),
            )
            for n, answer in enumerate(self.get(item, "answers", list, place))
        )

    def _is_impossible(self, item, place):
        value = item.get("is_impossible")
        if value in (None, False, True):  # also 0 and 1
            return bool(value)
        raise ValueError(
            f"{self.path} is not in SQuAD's format: {place}.is_impossible "
            f"must be true or false. Received: {value!r:.60}."
        )

    def finish(self):
        if not self.questions:
            raise ValueError(
                f"{self.path} holds no question. Pass another file."
            )
        if self.answered and self.unknown:
            raise ValueError(
                f"{self.path} is not in SQuAD's format: {self.unknown} of "
                f'{len(self.questions)} questions have no key "answers". '
                "Give each a list, empty if it has no answer."
            )
        questions = tuple(self.questions.values())
        has_answers = not self.unknown
        version = str(self.root.get("version", "")).removeprefix("v")
        if has_answers and not all(q.answers for q in questions):
            version = "2.0"
        return Squad(
            paragraphs=tuple(self.paragraphs),
            questions=questions,
            version="2.0" if version.startswith("2") else "1.1",
            path=str(self.path),
            has_answers=has_answers,
        )


_NAMES = {list: "a list", str: "a string", int: "an integer"}


def _shown(node, key):
    if not isinstance(node, dict):
        return f"{type(node).__name__} in place of an object"
    return f"{node[key]!r:.60}" if key in node else f"the keys {sorted(node)}"
