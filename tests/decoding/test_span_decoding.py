"""Answers decoded from logits, against an exhaustive search."""

import json

import numpy as np
import pytest

from albert_keras.data.tasks.squad import read_squad
from albert_keras.data.tasks.squad_windows import SquadWindows
from albert_keras.decoding.span_decoding import (
    SpanDecoder,
    ranges_of_most_context,
)
from tests.squad_files import write_squad

NEVER = -30000.0


@pytest.fixture
def windows(store, tmp_path):
    squad = read_squad(write_squad(tmp_path / "squad.json"))
    return SquadWindows(
        squad,
        store.tokenizer,
        sequence_length=26,
        doc_stride=5,
        max_query_length=8,
    )


def random_outputs(windows, rng, head=False, width=26):
    """Logits of all windows in the form of the model's, with ties."""
    mask = windows.batch(np.arange(len(windows)), width)[0]["answer_mask"]
    outputs = {
        name: np.where(mask, rng.integers(-8, 9, mask.shape) / 2, NEVER)
        for name in ("start_logits", "end_logits")
    }
    if head:
        outputs["answerable_logits"] = rng.normal(0, 2, len(windows))
    return outputs


def decode(windows, outputs, **kwargs):
    decoder = SpanDecoder(windows, **kwargs)
    for indices in np.array_split(np.arange(len(windows)), 3):
        rows = {name: array[indices] for name, array in outputs.items()}
        decoder.add(indices, rows)
    return decoder.finish()


def most_context(windows, window, piece):
    """The window in which a token has most context, by trying all windows."""
    best = None
    for other in np.flatnonzero(windows.question == windows.question[window]):
        start, length = windows.start[other], windows.length[other]
        if start <= piece < start + length:
            left, right = piece - start, start + length - 1 - piece
            score = min(left, right) + 0.01 * length
            if best is None or score > best[0]:
                best = score, other
    return best[1]


def slow_candidates(windows, outputs, question, max_length):
    """Every span of a question, as {text: best score}."""
    found = {}
    for window in np.flatnonzero(windows.question == question):
        begin = windows.context_begin[window]
        first, length = windows.start[window], windows.length[window]
        for a in range(length):
            if most_context(windows, window, first + a) != window:
                continue
            for b in range(a, min(length, a + max_length)):
                score = float(
                    outputs["start_logits"][window, begin + a]
                    + outputs["end_logits"][window, begin + b]
                )
                text = windows.text_of(window, first + a, first + b).strip()
                if text:
                    found[text] = max(score, found.get(text, -np.inf))
    return found


def test_each_piece_starts_answers_in_the_window_with_most_context(windows):
    first, end = ranges_of_most_context(windows)
    several = 0
    for window in range(len(windows)):
        for piece in range(windows.length[window]):
            place = windows.start[window] + piece
            best = most_context(windows, window, place)
            assert (first[window] <= piece < end[window]) == (best == window)
            several += best != window
    assert several > 100


@pytest.mark.parametrize("head", [False, True])
def test_answers_and_null_odds_are_those_of_looking_at_every_span(
    windows, rng, head
):
    outputs = random_outputs(windows, rng, head)
    predictions = decode(windows, outputs, n_best=6, max_answer_length=4)
    for index, question in enumerate(windows.squad.questions):
        rows = windows.question == index
        slow = slow_candidates(windows, outputs, index, 4)
        nbest = predictions.nbest[question.id]
        null = (outputs["start_logits"] + outputs["end_logits"])[rows, 0]
        answers = [entry for entry in nbest if entry["text"]]
        scores = [e["start_logit"] + e["end_logit"] for e in answers]
        assert scores == sorted(slow.values(), reverse=True)[: len(scores)]
        assert len(scores) == 6 and len(set(e["text"] for e in nbest)) == 7
        for entry, score in zip(answers, scores, strict=True):
            assert slow[entry["text"]] == score
        assert slow[predictions.best[question.id]] == max(slow.values())
        assert sum(e["probability"] for e in nbest) == pytest.approx(1)
        odds = predictions.null_odds[question.id]
        if head:
            assert odds == pytest.approx(
                -outputs["answerable_logits"][rows].max()
            )
        else:
            assert odds == null.min() - max(slow.values())


def test_above_the_threshold_there_is_no_answer(windows, rng):
    predictions = decode(windows, random_outputs(windows, rng))
    odds = sorted(predictions.null_odds.values())
    answers = predictions.answers(odds[10])
    for key, odd in predictions.null_odds.items():
        expected = "" if odd > odds[10] else predictions.best[key]
        assert answers[key] == expected
    assert 0 < sum(text == "" for text in answers.values()) < 20


def test_the_padding_of_a_batch_does_not_matter(windows, rng):
    outputs = random_outputs(windows, rng)
    wider = {
        name: np.pad(array, [(0, 0), (0, 9)], constant_values=NEVER)
        for name, array in outputs.items()
    }
    assert decode(windows, outputs) == decode(windows, wider)


def test_ranks_together_decode_what_one_does(windows, rng):
    outputs = random_outputs(windows, rng)
    decoder = SpanDecoder(windows)
    for share in (slice(0, None, 2), slice(1, None, 2)):
        part = SpanDecoder(windows)
        rows = {name: array[share] for name, array in outputs.items()}
        part.add(np.arange(len(windows))[share], rows)
        decoder.merge(part.state())
    whole = decode(windows, outputs)
    merged = decoder.finish()
    assert merged.null_odds == whole.null_odds
    for key, entries in whole.nbest.items():
        scores, others = (
            sorted(e["start_logit"] + e["end_logit"] for e in nbest)
            for nbest in (entries, merged.nbest[key])
        )
        assert scores == others


def test_version_1_has_no_empty_answers(store, tmp_path, rng):
    path = write_squad(tmp_path / "one.json", version="1.1")
    windows = SquadWindows(
        read_squad(path), store.tokenizer, 26, 5, max_query_length=8
    )
    predictions = decode(windows, random_outputs(windows, rng))
    assert predictions.null_odds == {}
    assert all(predictions.answers().values())
    texts = [e["text"] for nbest in predictions.nbest.values() for e in nbest]
    assert all(texts)
    predictions.write(tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"predictions.json", "nbest_predictions.json"}


def test_the_files_are_those_of_the_official_scripts(windows, rng, tmp_path):
    predictions = decode(windows, random_outputs(windows, rng))
    predictions.write(tmp_path, threshold=-3.0)
    files = {
        path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()
    }
    ids = {question.id for question in windows.squad.questions}
    for name in (
        "predictions.json",
        "nbest_predictions.json",
        "null_odds.json",
    ):
        assert set(files[name]) == ids
    assert files["predictions.json"] == predictions.answers(-3.0)
    assert set(files["nbest_predictions.json"]["0-0-0"][0]) == {
        "text",
        "probability",
        "start_logit",
        "end_logit",
    }


def test_numbers_below_one_are_refused(windows):
    for name in ("n_best", "max_answer_length"):
        with pytest.raises(ValueError, match=f"`{name}` must be at least 1"):
            SpanDecoder(windows, **{name: 0})
