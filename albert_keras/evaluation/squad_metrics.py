"""SQuAD's metrics, as the official scripts compute them.

    python -m albert_keras.evaluation.squad_metrics DATA.json PREDICTIONS.json

prints the output of evaluate-v2.0.py for a file of version 2.0, and that of
evaluate-v1.1.py for a file of version 1.1, to the last digit. The scripts are
published at https://rajpurkar.github.io/SQuAD-explorer.
"""

import argparse
import collections
import functools
import json
import re
import string
from collections.abc import Sequence
from typing import Any

from albert_keras.data.tasks.squad import Squad, read_squad
from albert_keras.files.atomic_write import atomic_file
from albert_keras.files.strict_json import parse_json
from albert_keras.files.text_files import read_text

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


@functools.lru_cache(maxsize=1 << 18)
def normalize_answer(text: str) -> str:
    """Lowercases text and drops punctuation, articles and extra white space."""
    text = text.lower().translate(_WITHOUT_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def exact_score(gold: str, predicted: str) -> float:
    """1 if both texts are equal once normalized, else 0."""
    return int(normalize_answer(gold) == normalize_answer(predicted))


@functools.lru_cache(maxsize=1 << 18)
def f1_score(gold: str, predicted: str, empty_counts: bool = True) -> float:
    """Harmonic mean of the words' precision and recall.

    Args:
        gold, predicted: Texts.
        empty_counts: Whether two texts without words match, as in version
            2.0; in version 1.1 they do not.

    Returns:
        From 0 to 1.
    """
    words = normalize_answer(gold).split()
    found = normalize_answer(predicted).split()
    if empty_counts and not (words and found):
        return int(words == found)
    common = collections.Counter(words) & collections.Counter(found)
    num_same = sum(common.values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(found)
    recall = 1.0 * num_same / len(words)
    return (2 * precision * recall) / (precision + recall)


def squad_metrics(
    squad: Squad,
    predictions: dict[str, str],
    null_odds: dict[str, float] | None = None,
    threshold: float = 1.0,
) -> dict[str, Any]:
    """Computes the metrics of the data's version of SQuAD.

    Args:
        squad: A `Squad` with answers.
        predictions: Answers by question id; the empty string is no answer.
        null_odds: Odds that a question has no answer, by question id; only
            for version 2.0.
        threshold: Null odds above which an answer counts as empty (official
            script: 1.0).

    Returns:
        A dictionary of percentages and counts, in the scripts' order.

    Raises:
        ValueError: If the data has no answers, a prediction is no string, or
            a question has no prediction (in version 1.1 it scores 0).
    """
    if not squad.has_answers:
        raise ValueError(
            f"{squad.path} has no answers to compare with. Pass a file with "
            "answers."
        )
    for key, text in predictions.items():
        if not isinstance(text, str):
            raise ValueError(
                "`predictions` must hold one string for each question. "
                f"Received: {text!r:.60} ({type(text).__name__}) for {key!r}. "
                "Pass the empty string for no answer."
            )
    if squad.version == "1.1":
        return metrics_version_1(squad, predictions)
    _check_complete(squad, predictions, "predictions")
    if null_odds is not None:
        _check_complete(squad, null_odds, "null odds")
    return metrics_version_2(squad, predictions, null_odds, threshold)


def metrics_version_1(
    squad: Squad, predictions: dict[str, str]
) -> dict[str, Any]:
    """Computes `exact_match` and `f1` by the rules of version 1.1."""
    exact = f1 = 0.0
    # Not by `sum`, which rounds floats differently from Python 3.12 on.
    for question in squad.questions:
        if question.id not in predictions:
            continue
        text = predictions[question.id]
        golds = [answer.text for answer in question.answers]
        exact += max(exact_score(gold, text) for gold in golds)
        f1 += max(f1_score(gold, text, empty_counts=False) for gold in golds)
    total = len(squad.questions)
    return {"exact_match": 100.0 * exact / total, "f1": 100.0 * f1 / total}


def metrics_version_2(
    squad: Squad,
    predictions: dict[str, str],
    null_odds: dict[str, float] | None = None,
    threshold: float = 1.0,
) -> dict[str, Any]:
    """Computes the metrics of version 2.0, see `squad_metrics`.

    As in evaluate-v2.0.py, whose rule is `bool(qa["answers"])`, a question has
    an answer if the file lists one. The script does not read `is_impossible`,
    which training and the reader of the data go by; the two differ only for
    questions that are marked `is_impossible` and list answers, which SQuAD 2.0
    itself does not have.
    """
    answerable = {q.id: bool(_listed(q)) for q in squad.questions}
    exact, f1 = _raw_scores(squad, predictions)
    odds = null_odds or dict.fromkeys(answerable, 0.0)
    thresholded_exact, thresholded_f1 = (
        {
            key: score if odds[key] <= threshold else float(not answerable[key])
            for key, score in scores.items()
        }
        for scores in (exact, f1)
    )
    metrics = _summary("", thresholded_exact, thresholded_f1, list(answerable))
    for prefix, kind in (("HasAns_", True), ("NoAns_", False)):
        keys = [key for key, value in answerable.items() if value == kind]
        if keys:
            metrics.update(
                _summary(prefix, thresholded_exact, thresholded_f1, keys)
            )
    if null_odds is not None:
        for name, scores in (("best_exact", exact), ("best_f1", f1)):
            best = best_threshold(scores, predictions, null_odds, answerable)
            metrics[name], metrics[f"{name}_thresh"] = best
    return metrics


def best_threshold(
    scores: dict[str, float],
    predictions: dict[str, str],
    null_odds: dict[str, float],
    answerable: dict[str, bool],
) -> tuple[float, float]:
    """Finds the threshold of the null odds with the highest score.

    Args:
        scores: Score of each question if it is answered, by question id.
        predictions, null_odds: As for `squad_metrics`.
        answerable: Whether each question has an answer.

    Returns:
        (percentage, threshold).
    """
    # Start with all questions unanswered, then answer one more at each step.
    score = best = float(sum(not value for value in answerable.values()))
    threshold = 0.0
    for key in sorted(null_odds, key=lambda key: null_odds[key]):
        if key not in scores:
            continue
        if answerable[key]:
            score += scores[key]
        elif predictions[key]:
            score -= 1
        if score > best:
            best, threshold = score, null_odds[key]
    return 100.0 * best / len(scores), threshold


def _listed(question):
    """The answers in the file, whatever `is_impossible` says."""
    return question.answers or question.ignored_answers


def _raw_scores(squad, predictions):
    """Exact match and F1 by question id, ignoring the null odds."""
    exact, f1 = {}, {}
    for question in squad.questions:
        golds = [a.text for a in _listed(question) if normalize_answer(a.text)]
        golds = golds or [""]
        text = predictions[question.id]
        exact[question.id] = max(exact_score(gold, text) for gold in golds)
        f1[question.id] = max(f1_score(gold, text) for gold in golds)
    return exact, f1


def _summary(prefix, exact, f1, keys):
    total = len(keys)
    return {
        f"{prefix}exact": 100.0 * sum(exact[key] for key in keys) / total,
        f"{prefix}f1": 100.0 * sum(f1[key] for key in keys) / total,
        f"{prefix}total": total,
    }


def _check_complete(squad, values, what):
    missing = [q.id for q in squad.questions if q.id not in values]
    if missing:
        raise ValueError(
            f"The {what} are missing for {len(missing)} of the "
            f"{len(squad.questions)} questions of {squad.path}, such as "
            f"{missing[0]!r}. Predict for the same file."
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the metrics of prediction files as JSON."""
    parser = argparse.ArgumentParser(
        description="SQuAD's metrics, as the official scripts compute them."
    )
    parser.add_argument("data_file", help="data in SQuAD's format")
    parser.add_argument("pred_file", help="predictions.json")
    parser.add_argument("--na-prob-file", "-n", help="null_odds.json")
    parser.add_argument(
        "--na-prob-thresh",
        "-t",
        type=float,
        default=1.0,
        help="null odds above which an answer is empty (default 1.0, as in "
        "the official script)",
    )
    parser.add_argument(
        "--out-file", "-o", help="file to write instead of printing"
    )
    options = parser.parse_args(argv)
    try:
        metrics = squad_metrics(
            read_squad(options.data_file),
            _read_by_id(options.pred_file, str),
            options.na_prob_file and _read_by_id(options.na_prob_file, float),
            options.na_prob_thresh,
        )
    except ValueError as error:
        parser.exit(1, f"squad_metrics: {error}\n")
    text = json.dumps(metrics, indent=2)
    if options.out_file:
        with atomic_file(options.out_file, encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        print(text)


def _read_by_id(path, kind):
    """Reads a JSON object whose values must be of type `kind`."""
    try:
        values = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}.") from error
    kinds = (int, float) if kind is float else (str,)
    wrong = (
        [v for v in values.values() if not isinstance(v, kinds)]
        if (isinstance(values, dict))
        else [values]
    )
    if wrong:
        raise ValueError(
            f"{path} must hold an object of question ids and "
            f"{'numbers' if kind is float else 'texts'}. Received: "
            f"{wrong[0]!r:.80}."
        )
    return values


if __name__ == "__main__":
    main()
