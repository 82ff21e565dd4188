"""SQuAD's files, and windows of question and paragraph."""

import copy
import json
import unicodedata

import numpy as np
import pytest

from albert_keras import AlbertTokenizer
from albert_keras.data.tasks.squad import read_squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.evaluation.squad_metrics import squad_metrics
from tests.squad_files import make_squad, write_squad


@pytest.fixture
def squad(tmp_path):
    return read_squad(write_squad(tmp_path / "squad.json"))


@pytest.fixture
def tokenizer(store):
    return store.tokenizer


def windows_of(squad, tokenizer, **kwargs):
    settings = dict(sequence_length=24, doc_stride=7, max_query_length=8)
    return SquadWindows(squad, tokenizer, **{**settings, **kwargs})


# === Reading ===


def test_both_versions_are_read_as_the_files_have_them(tmp_path):
    two = read_squad(write_squad(tmp_path / "two.json"))
    one = read_squad(write_squad(tmp_path / "one.json", version="1.1"))
    assert (two.version, one.version) == ("2.0", "1.1")
    assert len(two.paragraphs) == 4 and len(two.questions) == 20
    made = make_squad()["data"][0]["paragraphs"][1]
    question = two.questions[5]
    assert two.paragraphs[question.paragraph] == made["context"]
    assert question.text == made["qas"][0]["question"]
    assert [(a.text, a.start) for a in question.answers] == [
        (a["text"], a["answer_start"]) for a in made["qas"][0]["answers"]
    ]
    assert all(q.answers for q in one.questions)
    assert 0 < sum(not q.answers for q in two.questions) < 20


def test_a_file_without_any_answers_is_one_to_predict_for(tmp_path):
    made = make_squad()
    for paragraph in made["data"][0]["paragraphs"]:
        for question in paragraph["qas"]:
            del question["answers"]
    (tmp_path / "test.json").write_text(json.dumps(made))
    squad = read_squad(tmp_path / "test.json")
    assert not squad.has_answers and squad.version == "2.0"


def test_a_question_marked_as_impossible_has_no_answer(tmp_path, tokenizer):
    made = make_squad(num_paragraphs=1)
    first, second, third = made["data"][0]["paragraphs"][0]["qas"][1:4]
    assert first["answers"] and second["answers"]
    first["is_impossible"] = True
    first["plausible_answers"] = second["plausible_answers"] = first["answers"]
    second["is_impossible"] = True
    del second["answers"]
    third["is_impossible"] = None
    (tmp_path / "strange.json").write_text(json.dumps(made))
    squad = read_squad(tmp_path / "strange.json")
    answers = {question.id: question.answers for question in squad.questions}
    assert not answers[first["id"]] and not answers[second["id"]]
    assert bool(answers[third["id"]]) == bool(third["answers"])
    assert squad.version == "2.0" and squad.has_answers
    assert squad.ignored_answers == (first["id"],)
    assert squad.num_unanswerable == sum(not a for a in answers.values())
    windows = windows_of(squad, tokenizer, training=True)
    marked = np.isin(
        [squad.questions[q].id for q in windows.question],
        [first["id"], second["id"]],
    )
    _, labels = windows.batch(np.flatnonzero(marked), 24)
    assert not labels["start"].any() and not labels["answerable"].any()
    scores = squad_metrics(squad, dict.fromkeys(answers, ""))
    assert scores["NoAns_exact"] == 100
    # The official metrics count the answers that the first one lists.
    assert scores["NoAns_total"] == squad.num_unanswerable - 1


def test_a_file_of_impossible_questions_alone_has_answers(tmp_path):
    made = make_squad(num_paragraphs=1)
    for question in made["data"][0]["paragraphs"][0]["qas"]:
        question["is_impossible"] = True
        question["plausible_answers"] = question.pop("answers")
    (tmp_path / "all.json").write_text(json.dumps(made))
    squad = read_squad(tmp_path / "all.json")
    assert squad.has_answers and squad.num_unanswerable == 5
    made["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"] = "no"
    (tmp_path / "all.json").write_text(json.dumps(made))
    message = r"qas\[0\].is_impossible must be true or false. Received: 'no'"
    with pytest.raises(ValueError, match=message):
        read_squad(tmp_path / "all.json")


def without(*path):
    """A change that removes a key from the generated file."""

    def change(made):
        node = made
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return change


def replaced(value, *path):
    """A change that replaces a value in the generated file."""

    def change(made):
        node = made
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


FIRST = ("data", 0, "paragraphs", 0)
QUESTION = (*FIRST, "qas", 1)
OTHER_SHAPES = {
    "no data": (without("data"), r"data must be a list. .*\['version'\]"),
    "a list": (lambda made: [1], "list in place of an object"),
    "articles that are texts": (
        replaced(["a"], "data"),
        r"data\[0\].paragraphs must be a list. .*str in place of an object",
    ),
    "no context": (
        without(*FIRST, "context"),
        r"data\[0\].paragraphs\[0\].context must be a string",
    ),
    "no question": (without(*QUESTION, "question"), r"qas\[1\].question must"),
    "a number as id": (replaced(5, *QUESTION, "id"), r"qas\[1\].id .*: 5"),
    "an answer as text": (
        replaced(["x"], *QUESTION, "answers"),
        r"qas\[1\].answers\[0\].text must be a string",
    ),
    "a start that is text": (
        replaced("7", *QUESTION, "answers", 0, "answer_start"),
        r"answers\[0\].answer_start must be an integer. Received: '7'",
    ),
    "some questions without answers": (
        without(*QUESTION, "answers"),
        '1 of 20 questions have no key "answers"',
    ),
    "the same id twice": (
        replaced("0-0-0", *QUESTION, "id"),
        r"qas\[1\] has the id '0-0-0' of an earlier question",
    ),
    "no question at all": (replaced([], "data"), "holds no question"),
}


@pytest.mark.parametrize("case", OTHER_SHAPES)
def test_json_of_another_shape_is_refused_by_place(case, tmp_path):
    change, message = OTHER_SHAPES[case]
    made = copy.deepcopy(make_squad())
    made = change(made) or made
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(made))
    with pytest.raises(ValueError, match=f"squad.json.*{message}"):
        read_squad(path)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "cut.json").write_text('{"data": [')
    with pytest.raises(ValueError, match="cut.json is not a JSON file"):
        read_squad(tmp_path / "cut.json")
    with pytest.raises(ValueError, match="none.json does not exist"):
        read_squad(tmp_path / "none.json")


# === Windows ===


def test_windows_are_those_of_googles_loop(squad, tokenizer):
    windows = windows_of(squad, tokenizer)
    expected = []
    for index, question in enumerate(squad.questions):
        (query,) = tokenizer.encode([question.text])
        (tokens,) = tokenizer.encode([squad.paragraphs[question.paragraph]])
        room = 24 - min(len(query), 8) - 3
        start = 0
        while True:
            length = min(len(tokens) - start, room)
            expected.append((index, start, length))
            if start + length == len(tokens):
                break
            start += min(length, 7)
    found = zip(windows.question, windows.start, windows.length, strict=True)
    assert [tuple(map(int, row)) for row in found] == expected
    assert len(windows) > len(squad.questions)


def test_a_row_is_question_and_window_between_special_pieces(squad, tokenizer):
    windows = windows_of(squad, tokenizer, training=True)
    inputs, labels = windows.batch(np.arange(len(windows)), 24)
    for row in range(len(windows)):
        question = squad.questions[windows.question[row]]
        query = tokenizer.encode([question.text])[0][:8]
        tokens = tokenizer.encode([squad.paragraphs[question.paragraph]])[0]
        start, length = windows.start[row], windows.length[row]
        window = tokens[start : start + length]
        ids = [2, *query, 3, *window, 3]
        size = len(ids)
        assert windows.lengths[row] == size
        assert inputs["token_ids"][row].tolist() == ids + [0] * (24 - size)
        context = len(query) + 2
        segments = [0] * context + [1] * (length + 1)
        expected = segments + [0] * (24 - size)
        assert inputs["segment_ids"][row].tolist() == expected
        assert inputs["padding_mask"][row].sum() == size
        allowed = [1] + [0] * (context - 1) + [1] * length
        expected = allowed + [0] * (24 - len(allowed))
        assert inputs["answer_mask"][row].tolist() == expected
        if labels["answerable"][row]:
            first, last = labels["start"][row], labels["end"][row]
            assert tokenizer.decode(ids[first : last + 1]) == (
                question.answers[0].text
            )
            assert first >= context and last < size - 1
        else:
            assert labels["start"][row] == labels["end"][row] == 0


def test_an_answer_that_a_window_cuts_counts_as_none(squad, tokenizer):
    windows = windows_of(squad, tokenizer, training=True, doc_stride=3)
    _, labels = windows.batch(np.arange(len(windows)), 24)
    whole = labels["answerable"].astype(bool)
    for row, question in enumerate(windows.question):
        first, last = windows.spans[question]
        start = windows.start[row]
        inside = start <= first and last < start + windows.length[row]
        assert whole[row] == (inside and first >= 0)
    answered = {q for q in windows.question[whole]}
    assert answered == {i for i, q in enumerate(squad.questions) if q.answers}


@pytest.mark.heavy
def test_every_answer_of_real_questions_decodes_back_to_its_text(shared_data):
    squad = read_squad(shared_data("squad-v2-dev-half.json"))
    tokenizer = AlbertTokenizer(shared_data("30k-clean.model"))
    windows = SquadWindows(squad, tokenizer, training=True)
    assert windows.unaligned == [] and windows.cut_questions == []
    first = {q: w for w, q in reversed(list(enumerate(windows.question)))}
    exceptions = []
    for index, question in enumerate(squad.questions):
        if question.answers:
            text = windows.text_of(first[index], *windows.spans[index])
            if text != question.answers[0].text:
                exceptions.append((question.answers[0].text, text))
    # A token contains more than the answer: no span of tokens equals it.
    assert sorted(exceptions) == [
        ("27-30", "27-30%"),
        ("90", "90%"),
        ("90", "90%"),
        ("Japan", "Japanese"),
        ("Japan", "Japanese"),
    ]
    covered_by_windows(windows, squad)


def test_windows_cover_every_character_of_every_paragraph(squad, tokenizer):
    covered_by_windows(windows_of(squad, tokenizer), squad)


def covered_by_windows(windows, squad):
    tokens = {}
    for question, start, length in zip(
        windows.question, windows.start, windows.length, strict=True
    ):
        seen = tokens.setdefault(int(question), set())
        seen.update(range(start, start + length))
    characters = {}
    for question, seen in tokens.items():
        paragraph = squad.questions[question].paragraph
        offsets = windows.paragraphs.offsets_of(paragraph)
        assert seen == set(range(len(offsets)))
        if paragraph not in characters:
            characters[paragraph] = {
                place for start, end in offsets for place in range(start, end)
            }
            text = squad.paragraphs[paragraph]
            missing = set(range(len(text))) - characters[paragraph]
            rest = "".join(text[place] for place in missing)
            # SentencePiece drops invisible characters.
            assert {unicodedata.category(c) for c in rest.strip()} <= {
                "Cf",
                "Zs",
            }


def test_answers_that_are_not_in_the_text_are_listed(tmp_path, tokenizer):
    made = make_squad()
    qas = made["data"][0]["paragraphs"][0]["qas"]
    qas[1]["answers"][0]["answer_start"] += 1
    qas[2]["answers"][0]["answer_start"] = 100_000
    made["data"][0]["paragraphs"][1]["qas"][0]["answers"] = [
        {"text": " ", "answer_start": 0}
    ]
    (tmp_path / "squad.json").write_text(json.dumps(made))
    squad = read_squad(tmp_path / "squad.json")
    windows = windows_of(squad, tokenizer, training=True)
    assert windows.unaligned == ["0-0-1", "0-0-2", "0-1-0"]
    left_out = {squad.questions[i].id for i in set(windows.question)} & {
        *windows.unaligned
    }
    assert not left_out
    # Evaluation keeps these questions.
    evaluated = windows_of(squad, tokenizer)
    assert set(evaluated.question) == set(range(20))


def test_questions_that_are_too_long_are_cut_and_listed(squad, tokenizer):
    windows = windows_of(squad, tokenizer, max_query_length=3)
    lengths = [
        len(ids) for ids in tokenizer.encode([q.text for q in squad.questions])
    ]
    assert windows.cut_questions == [
        q.id for q, n in zip(squad.questions, lengths, strict=True) if n > 3
    ]
    assert windows.context_begin.max() == 5


def test_settings_without_room_for_text_are_refused(squad, tokenizer):
    with pytest.raises(ValueError, match="leave room for the text"):
        windows_of(squad, tokenizer, sequence_length=11)
    with pytest.raises(ValueError, match="`doc_stride` must be at least 1"):
        windows_of(squad, tokenizer, doc_stride=0)
