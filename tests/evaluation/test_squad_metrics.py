"""SQuAD's metrics equal those of the official scripts to the last digit.

`references/squad` holds a small file whose scores are computed by hand below;
the published scripts can be run on it. `references/squad_damage.py` makes
damaged answers to any file.
"""

import json
import re
from pathlib import Path

import pytest

from albert_keras.data.tasks.squad import read_squad
from albert_keras.evaluation.squad_metrics import main, squad_metrics
from tests.references import squad_metrics as reference
from tests.references.squad_damage import damaged_set

FIXTURE = Path(__file__).parents[1] / "references" / "squad"
# exact  "anna østergård" is the first answer                1     1
# article, marks: equal without articles and punctuation     1     1
# half   1 word of 3rd, of, may; precision 1, recall 1/3     0     1/2
# wrong, silent                                              0     0
# letter "A" has no word left, so the empty answer is correct,
#        and "the" has no word either                        1     1
# none-right, none-the: no word                              1     1
# none-wrong                                                 0     0
HALF = 1 / 2  # exact in binary, so that no sum is rounded
F1_HAS_ANSWER = sum([1, 1, 1, HALF, 0, 0, 1])


@pytest.fixture
def files():
    return {
        name: json.loads((FIXTURE / f"{name}.json").read_text("utf-8"))
        for name in ("data", "predictions", "null_odds")
    }


@pytest.fixture
def squad():
    return read_squad(FIXTURE / "data.json")


def shown(capsys, *argv):
    main(list(map(str, argv)))
    return json.loads(capsys.readouterr().out)


def test_scores_are_those_worked_out_by_hand(capsys):
    result = shown(capsys, FIXTURE / "data.json", FIXTURE / "predictions.json")
    assert list(result.items()) == [
        ("exact", 60.0),
        ("f1", 100.0 * sum([1, 1, 1, HALF, 0, 0, 1, 1, 0, 1]) / 10),
        ("total", 10),
        ("HasAns_exact", 100.0 * 4 / 7),
        ("HasAns_f1", 100.0 * F1_HAS_ANSWER / 7),
        ("HasAns_total", 7),
        ("NoAns_exact", 100.0 * 2 / 3),
        ("NoAns_f1", 100.0 * 2 / 3),
        ("NoAns_total", 3),
    ]


def test_null_odds_silence_answers_and_give_the_best_thresholds(capsys):
    result = shown(
        capsys,
        *(FIXTURE / "data.json", FIXTURE / "predictions.json"),
        *("--na-prob-file", FIXTURE / "null_odds.json"),
    )
    # Null odds above 1: marks, silent, none-right and none-wrong. So marks
    # becomes wrong and none-wrong becomes correct.
    assert result["exact"] == 60.0
    assert result["HasAns_exact"] == 100.0 * 3 / 7
    assert result["NoAns_exact"] == 100.0
    # In order of certainty: exact, article and letter add one each; half adds
    # 0 or 1/2; none-the, which is not empty, subtracts one. So: 3 + 3 = 6 at
    # -2 and, for F1, 6 1/2 at -1.
    assert (result["best_exact"], result["best_exact_thresh"]) == (60.0, -2.0)
    assert result["best_f1"] == 65.0
    assert result["best_f1_thresh"] == -1.0


def test_the_threshold_can_be_set_and_the_result_written(tmp_path):
    main(
        [
            str(FIXTURE / "data.json"),
            str(FIXTURE / "predictions.json"),
            *("-n", str(FIXTURE / "null_odds.json"), "-t", "-10"),
            *("-o", str(tmp_path / "out.json")),
        ]
    )
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["HasAns_exact"] == 0 and result["NoAns_exact"] == 100


def test_the_recorded_values_are_the_references_and_ours(files, squad):
    """`expected.json` holds the output of the published script."""
    recorded = json.loads((FIXTURE / "expected.json").read_text("utf-8"))
    for odds, expected in zip(
        (None, files["null_odds"]), recorded.values(), strict=True
    ):
        data, predictions = files["data"], files["predictions"]
        assert reference.metrics(data, predictions, odds) == expected
        ours = squad_metrics(squad, predictions, odds)
        assert list(ours.items()) == list(expected.items())


def test_the_reference_agrees_with_the_hand(files):
    result = reference.metrics(files["data"], files["predictions"])
    assert result["exact"] == 60.0
    assert result["HasAns_f1"] == 100.0 * F1_HAS_ANSWER / 7


def test_version_1_has_rules_of_its_own(files, squad, tmp_path, capsys):
    data = files["data"]
    data["version"] = "1.1"
    (paragraph,) = data["data"][0]["paragraphs"]
    paragraph["qas"] = [q for q in paragraph["qas"] if q["answers"]]
    (tmp_path / "one.json").write_text(json.dumps(data))
    result = shown(capsys, tmp_path / "one.json", FIXTURE / "predictions.json")
    # "A" and "the" are equal without articles, but share no word.
    assert list(result.items()) == [
        ("exact_match", 100.0 * 4 / 7),
        ("f1", 100.0 * (1 + 1 + 1 + HALF) / 7),
    ]
    assert result == reference.metrics_version_1(data, files["predictions"])
    # A question without a prediction scores 0.
    squad = read_squad(tmp_path / "one.json")
    assert squad_metrics(squad, {"exact": "Anna Østergård"}) == {
        "exact_match": 100.0 / 7,
        "f1": 100.0 / 7,
    }


def test_damaged_answers_to_the_small_file_score_as_the_reference(files, squad):
    for seed in range(300):
        answers, null_odds = damaged_set(files["data"], seed)
        expected = reference.metrics(files["data"], answers, null_odds)
        assert squad_metrics(squad, answers, null_odds) == expected, seed


def test_answers_that_a_file_lists_count_as_in_the_official_script(
    files, tmp_path
):
    """The script never reads `is_impossible`."""
    (paragraph,) = files["data"]["data"][0]["paragraphs"]
    for question in paragraph["qas"]:
        question["is_impossible"] = True
    path = tmp_path / "data.json"
    path.write_text(json.dumps(files["data"]), encoding="utf-8")
    squad = read_squad(path)
    assert squad.num_unanswerable == len(squad.questions)
    odds = files["null_odds"]
    expected = reference.metrics(files["data"], files["predictions"], odds)
    assert squad_metrics(squad, files["predictions"], odds) == expected
    assert expected["HasAns_total"] == 7


@pytest.mark.slow
def test_damaged_answers_to_real_questions_score_as_the_reference(shared_data):
    path = shared_data("squad-v2-dev-half.json")
    data = json.loads(path.read_text("utf-8"))
    squad = read_squad(path)
    scores = set()
    for seed in range(6):
        answers, null_odds = damaged_set(data, seed)
        expected = reference.metrics(data, answers, null_odds)
        result = squad_metrics(squad, answers, null_odds)
        assert result == expected and list(result) == list(expected)
        scores.add(result["f1"])
    assert len(scores) == 6 and max(scores) - min(scores) > 10


BAD = {
    "no prediction": ("predictions.json", {"exact": "x"}, "for 9 of the 10"),
    "a list": ("predictions.json", ["x"], "must hold an object.*texts"),
    "a number": ("predictions.json", {"exact": 1}, "texts. Received: 1"),
    "odds as text": ("null_odds.json", {"exact": "1"}, "numbers. .*'1'"),
    "odds missing": ("null_odds.json", {"exact": 1}, "null odds are missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_do_not_fit_are_refused(case, tmp_path, files, capsys):
    name, content, message = BAD[case]
    for other in ("predictions", "null_odds"):
        path = tmp_path / f"{other}.json"
        path.write_text(json.dumps(files[other]))
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(SystemExit) as stop:
        main(
            [
                str(FIXTURE / "data.json"),
                str(tmp_path / "predictions.json"),
                *("-n", str(tmp_path / "null_odds.json")),
            ]
        )
    assert stop.value.code == 1
    assert re.search(message, capsys.readouterr().err)
