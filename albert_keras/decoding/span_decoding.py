"""Decodes span logits into answers and writes SQuAD's prediction files."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np

from albert_keras.files.atomic_write import atomic_file
from albert_keras.problems import softmax

PREDICTIONS_FILE = "predictions.json"
NBEST_FILE = "nbest_predictions.json"
NULL_ODDS_FILE = "null_odds.json"
PREDICTION_FILES = (PREDICTIONS_FILE, NBEST_FILE, NULL_ODDS_FILE)
# Spans to look at per answer, since several may have the same text.
_SPANS_PER_ANSWER = 4


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A possible answer with its logits.

    Attributes:
        text: The answer, `context[start:end]`.
        start_logit, end_logit: Logits of its first and last token.
        start, end: Its range of characters in the context.
    """

    text: str
    start_logit: float
    end_logit: float
    start: int = 0
    end: int = 0

    @property
    def score(self):
        return self.start_logit + self.end_logit


# Of a paragraph without text, which only has the empty answer.
NOTHING = Candidate("", -1e4, -1e4)


@dataclasses.dataclass(frozen=True)
class SquadPredictions:
    """Answers by question id.

    Attributes:
        best: The best non-null answer to each question.
        nbest: The most likely answers to each question, best first:
            dictionaries with `text`, `probability`, `start_logit`,
            `end_logit`. In version 2.0 the empty answer is among them.
        null_odds: Log-odds that a question has no answer (a difference of
            logits). Empty in version 1.1.
    """

    best: dict
    nbest: dict
    null_odds: dict

    def answers(self, threshold=0.0):
        """Returns the answers: empty if the null odds exceed the threshold."""
        return {
            key: "" if self.null_odds.get(key, -math.inf) > threshold else text
            for key, text in self.best.items()
        }

    def write(self, directory, threshold=0.0):
        """Writes the files that the official scripts read.

        `predictions.json`, `nbest_predictions.json` and, in version 2.0,
        `null_odds.json`.

        Returns:
            Their paths.
        """
        Path(directory).mkdir(parents=True, exist_ok=True)
        files = {
            PREDICTIONS_FILE: self.answers(threshold),
            NBEST_FILE: self.nbest,
        }
        if self.null_odds:
            files[NULL_ODDS_FILE] = self.null_odds
        for name, values in files.items():
            with atomic_file(Path(directory) / name, encoding="utf-8") as file:
                json.dump(values, file, indent=1, ensure_ascii=False)
        return [Path(directory) / name for name in files]


class SpanDecoder:
    """Collects the outputs of windows and decodes them into answers.

    Considers every span of at most `max_answer_length` tokens of a window,
    with the sum of its two logits as the score; Google's release considers
    only the 20 best starts and 20 best ends. A span counts in the window with
    the most context around its first token. Of spans with the same text, the
    best is kept.

    Without an answerability head the null odds are the score of [CLS] minus
    that of the best span, in the window with the lowest score of [CLS] (Devlin
    et al. 2018, section 4.3). With a head they are its logit for "no answer",
    in the window where that is lowest.

    Args:
        windows: The `SquadWindows` to decode.
        n_best: Number of answers to keep per question.
        max_answer_length: Maximum number of tokens in an answer.
    """

    def __init__(self, windows, n_best=20, max_answer_length=30):
        for name, value in (
            ("n_best", n_best),
            ("max_answer_length", max_answer_length),
        ):
            if value < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {value}."
                )
        self.windows = windows
        self.n_best = n_best
        self.max_answer_length = max_answer_length
        self._first, self._end = ranges_of_most_context(windows)
        self._candidates = {}
        self._null = {}

    def add(self, indices, outputs):
        """Adds the outputs of some windows.

        Args:
            indices: Indices of the windows, integers `(B,)`.
            outputs: Outputs of `AlbertForQuestionAnswering` for them.
        """
        start, end = (
            np.asarray(outputs[name], "float32")
            for name in ("start_logits", "end_logits")
        )
        null = zip(start[:, 0].tolist(), end[:, 0].tolist(), strict=True)
        head_odds = [None] * len(indices)
        if "answerable_logits" in outputs:
            head_odds = (
                -np.asarray(outputs["answerable_logits"], "float32")
            ).tolist()
        begin = self.windows.context_begin[indices]
        spans = best_spans(
            start,
            end,
            # Positions in the row of tokens that may start and end an answer.
            begin + self._first[indices],
            begin + self._end[indices],
            begin + self.windows.length[indices],
            self.max_answer_length,
            _SPANS_PER_ANSWER * self.n_best,
        )
        for row, (window, logits, odds) in enumerate(
            zip(indices.tolist(), null, head_odds, strict=True)
        ):
            self._add_window(window, logits, odds, begin[row], spans[row])

    def _add_window(self, window, null_logits, odds, begin, spans):
        question = int(self.windows.question[window])
        shift = int(self.windows.start[window]) - int(begin)
        found = self._candidates.setdefault(question, [])
        for first, last, start_logit, end_logit in spans:
            tokens = window, first + shift, last + shift
            text = self.windows.text_of(*tokens)
            start, _ = self.windows.characters_of(*tokens)
            start += len(text) - len(text.lstrip())
            # A token may be a word-start marker only.
            if text := text.strip():
                end = start + len(text)
                found.append(
                    Candidate(text, start_logit, end_logit, start, end)
                )
        # With a head, the window that is surest of an answer counts.
        sort_key = sum(null_logits) if odds is None else odds
        null = sort_key, odds, Candidate("", *null_logits)
        self._keep_lowest_null(question, null)

    def _keep_lowest_null(self, question, null):
        earlier = self._null.get(question)
        if earlier is None or null[0] < earlier[0]:
            self._null[question] = null

    def state(self):
        """Returns what was collected, without the windows, to send it."""
        return self._candidates, self._null

    def merge(self, state):
        """Adds the `state` of a decoder of the same windows."""
        candidates, nulls = state
        for question, found in candidates.items():
            self._candidates.setdefault(question, []).extend(found)
        for question, null in nulls.items():
            self._keep_lowest_null(question, null)

    def ranked(self):
        """Yields the answers to each question that was added.

        Yields:
            (question, candidates, null, null odds): the question's index; its
            best non-null `Candidate`s, best first; that of the empty answer;
            and the log-odds that it has no answer.
        """
        for index in sorted(self._candidates):
            candidates = _distinct(self._candidates[index])[: self.n_best]
            _, odds, null = self._null[index]
            if odds is None:
                best = candidates[0] if candidates else NOTHING
                odds = null.score - best.score
            yield index, candidates, null, odds

    def finish(self):
        """Returns the `SquadPredictions` of all questions added."""
        best, nbest, null_odds = {}, {}, {}
        questions = self.windows.squad.questions
        is_version_2 = self.windows.squad.version == "2.0"
        for index, ranked, null, odds in self.ranked():
            key = questions[index].id
            top = ranked[0] if ranked else NOTHING
            best[key] = top.text
            if is_version_2:
                null_odds[key] = odds
                ranked = [null, *ranked][: self.n_best + 1]
                ranked.sort(key=lambda candidate: -candidate.score)
            nbest[key] = _with_probabilities(ranked or [top])
        return SquadPredictions(best, nbest, null_odds)


def best_spans(start, end, first, last_start, stop, max_length, n_best):
    """Finds the spans with the highest sums of logits in each row.

    Args:
        start, end: Logits `(B, T)`.
        first, last_start: Integers `(B,)`; a span starts at `first` or later,
            and before `last_start`.
        stop: Integers `(B,)`; a span ends before `stop`.
        max_length: Maximum number of positions in a span.
        n_best: Number of spans to find.

    Returns:
        For each row a list of (start, end, start logit, end logit), best
        first; shorter than `n_best` if there are fewer spans.
    """
    rows, width = start.shape
    column = np.arange(width)
    may_start = (column >= first[:, None]) & (column < last_start[:, None])
    may_end = column < stop[:, None]
    starts = np.where(may_start, start, -np.inf)
    ends = np.full((rows, width + max_length - 1), -np.inf, "float32")
    ends[:, :width] = np.where(may_end, end, -np.inf)
    # scores[b, t, n]: the span of n + 1 positions that starts at t
    following = np.lib.stride_tricks.sliding_window_view(ends, max_length, 1)
    scores = (starts[:, :, None] + following).reshape(rows, -1)
    count = min(n_best, scores.shape[1])
    top = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(scores, top, 1)
    results = []
    for row in range(rows):
        # By score, then by index, so that ties do not depend on the padding.
        order = np.lexsort((top[row], -found[row]))
        spans = []
        for index in top[row][order][np.isfinite(found[row][order])].tolist():
            t, n = divmod(index, max_length)
            spans.append(
                (t, t + n, float(start[row, t]), float(end[row, t + n]))
            )
        results.append(spans)
    return results


def ranges_of_most_context(windows):
    """Finds the tokens of each window that have no more context in another.

    A token's context in a window is min(tokens to the left, tokens to the
    right) + 0.01 (length of the window), as in Google's release.

    Args:
        windows: `SquadWindows`.

    Returns:
        (first, end), integers `(W,)`, relative to the window's start.
    """
    first = np.zeros(len(windows), "int64")
    end = windows.length.copy()
    bounds = np.flatnonzero(np.diff(windows.question, prepend=-1, append=-1))
    for one, following in zip(bounds[:-1], bounds[1:], strict=True):
        if following - one == 1:
            continue
        start = windows.start[one:following, None]
        length = windows.length[one:following, None]
        token = np.arange(int((start + length).max()))
        left, right = token - start, start + length - 1 - token
        context = np.minimum(left, right) + 0.01 * length
        context[(left < 0) | (right < 0)] = -np.inf
        best = context.argmax(axis=0)
        for window in range(one, following):
            tokens = np.flatnonzero(best == window - one)
            if tokens.size:
                first[window] = tokens[0] - windows.start[window]
                end[window] = tokens[-1] + 1 - windows.start[window]
            else:
                end[window] = 0
    return first, end


def _distinct(candidates):
    """Sorts candidates, best first, and keeps each text once."""
    by_text = {}
    for candidate in sorted(candidates, key=lambda c: -c.score):
        by_text.setdefault(candidate.text, candidate)
    return list(by_text.values())


def _with_probabilities(candidates):
    """Candidates as dictionaries, with their probabilities."""
    return [
        {
            "text": candidate.text,
            "probability": float(probability),
            "start_logit": candidate.start_logit,
            "end_logit": candidate.end_logit,
        }
        for candidate, probability in zip(
            candidates, probabilities(candidates), strict=True
        )
    ]


def probabilities(candidates):
    """The softmax of the candidates' scores, float64 `(N,)`."""
    return softmax(np.array([candidate.score for candidate in candidates]))
