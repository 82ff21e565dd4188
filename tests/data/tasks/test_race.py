"""RACE: both forms of its files, and packed choices."""

import json

import numpy as np
import pytest

from albert_keras.data.tasks.race import read_race
from albert_keras.data.tasks.race_choices import RaceChoices, choice_text

PASSAGE = {
    "id": "middle1.txt",
    "article": "Bade rigo.",
    "questions": ["It is _ .", "Why?"],
    "options": [["a", "b", "c", "d"], ["e", "f", "g", "h"]],
    "answers": ["B", "D"],
}


def write(directory, passage=PASSAGE, split="train", **changes):
    for level in ("middle", "high"):
        folder = directory / split / level
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**passage, **changes, "id": f"{level}1.txt"})
        (folder / "1.txt").write_text(text)
    return directory


def test_a_file_a_passage_and_all_in_one_are_read_alike(tmp_path):
    write(tmp_path / "raw")
    for number in (10, 2):  # read in numeric order
        path = tmp_path / f"raw/train/middle/{number}.txt"
        path.write_text(json.dumps({**PASSAGE, "id": f"middle{number}.txt"}))
    raw = read_race(tmp_path / "raw", "train")
    ids = [*(f"middle{n}.txt" for n in (1, 2, 10)), "high1.txt"]
    assert list(raw.passage_ids) == ids
    assert raw.levels == ("middle", "middle", "middle", "high")
    assert [q.answer for q in raw.questions] == [1, 3] * 4
    assert [q.passage for q in raw.questions] == [0, 0, 1, 1, 2, 2, 3, 3]
    for level in ("middle", "high"):
        folder = tmp_path / "google/train" / level
        folder.mkdir(parents=True)
        lines = [
            json.dumps({**PASSAGE, "id": name})
            for name in ids
            if name.startswith(level)
        ]
        (folder / "all.txt").write_text("\n".join(lines) + "\n")
    google = read_race(tmp_path / "google", "train")
    assert google.questions == raw.questions
    assert google.passages == raw.passages
    assert google.passage_ids == raw.passage_ids
    high = read_race(tmp_path / "google", "train", levels=["high"])
    assert high.passage_ids == ("high1.txt",)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"article": None}, "'article' must be a string"),
        ({"questions": "Why?"}, "'questions' must be a list.*'Why"),
        ({"questions": ["Why?"]}, "1 questions, 2 lists of options"),
        ({"options": [["a", "b"], ["c", "d"]]}, "question 0 .*4 strings"),
        ({"options": ["abcd", "efgh"]}, "question 0 .*4 strings"),
        ({"answers": ["B", "E"]}, "question 1: the answer .*'E'"),
        ({"answers": ["B", ""]}, "question 1: the answer"),
        ({"answers": ["B"]}, "1 answers"),
    ],
)
def test_an_object_of_another_shape_is_refused_by_place(
    tmp_path, changes, message
):
    write(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"middle/1.txt.*{message}"):
        read_race(tmp_path, "train")


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match="dev/middle holds no .txt file"):
        read_race(write(tmp_path), "dev")
    path = tmp_path / "train/middle/1.txt"
    for text, message in (
        ("[1]", "list in place of an object"),
        ("{", "is not JSON"),
        (
            json.dumps(
                {**PASSAGE, "questions": [], "options": [], "answers": []}
            ),
            "middle holds no question",
        ),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_race(tmp_path, "train")
    path = path.with_name("all.txt")
    path.write_text(json.dumps(PASSAGE) + "\n\n" + "no\n")
    with pytest.raises(ValueError, match="all.txt, line 3 is not JSON"):
        read_race(tmp_path, "train")
    path.write_text(2 * (json.dumps(PASSAGE) + "\n"))
    with pytest.raises(ValueError, match="line 2 has the id 'middle1.txt' of"):
        read_race(tmp_path, "train")


def test_answers_may_be_missing_where_none_are_asked_for(tmp_path):
    without = {k: v for k, v in PASSAGE.items() if k != "answers"}
    write(tmp_path, without)
    with pytest.raises(ValueError, match="'answers' must be a list"):
        read_race(tmp_path, "train")
    race = read_race(tmp_path, "train", labelled=False)
    assert {question.answer for question in race.questions} == {None}


def test_the_option_stands_for_the_blank_or_behind_the_question():
    assert choice_text("It is _ .", "late") == "It is late ."
    assert choice_text("Why?", "It is late.") == "Why? It is late."


def test_the_last_pieces_of_a_choice_and_the_first_of_a_passage_stay(
    store, tmp_path, rng
):
    tokenizer = store.tokenizer
    article = " ".join(rng.choice(["bade", "rigo", "ta"], 12))
    options = [
        [" ".join(rng.choice(["lo", "mi", "ta"], n)) for n in row]
        for row in ([1, 2, 3, 12], [1, 1, 9, 2])
    ]
    write(tmp_path, article=article, options=options)
    race = read_race(tmp_path, "train", levels=["high"])
    choices = RaceChoices(
        race, tokenizer, sequence_length=24, max_choice_length=9
    )
    inputs, labels = choices.batch(np.array([1, 0]), 24)
    assert labels.tolist() == [3, 1]
    assert inputs["token_ids"].shape == (2, 4, 24)
    passage = tokenizer.encode([article])[0]
    for row, question in enumerate([1, 0]):
        lengths = []
        for option, text in enumerate(options[question]):
            choice = choice_text(PASSAGE["questions"][question], text)
            second = tokenizer.encode([choice])[0][-9:]
            first = passage[: 24 - 3 - len(second)]
            cls, sep = [tokenizer.cls_id], [tokenizer.sep_id]
            expected = cls + first + sep + second + sep
            lengths.append(len(expected))
            shown = inputs["token_ids"][row, option]
            assert shown[: len(expected)].tolist() == expected
            assert (shown[len(expected) :] == tokenizer.pad_id).all()
            mask = inputs["padding_mask"][row, option]
            assert mask.sum() == len(expected)
        assert choices.lengths[question] == max(lengths)
    assert choices.cut.tolist() == [0, 1]
    with pytest.raises(ValueError, match="must leave room for the passage"):
        RaceChoices(race, tokenizer, sequence_length=12, max_choice_length=9)
