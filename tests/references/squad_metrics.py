"""SQuAD's rules in slow, simple Python, one question at a time.

Written from the papers (Rajpurkar et al. 2016, section 6.1, and 2018, section
5) and from the published scripts' behavior in edge cases:

- Text is lowercased; the 32 ASCII punctuation marks are dropped; the words a,
  an and the are replaced by a space; white space separates words.
- Version 2.0: answers without words do not count. If none is left, the empty
  text is the only correct answer; two texts without words match.
- Version 1.1: every answer counts; texts without words share nothing.
- The score of a question is that of its best answer.
"""

import re

MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def words(text):
    kept = "".join(c for c in text.lower() if c not in MARKS)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def exact(gold, answer):
    return 1 if words(gold) == words(answer) else 0


def f1(gold, answer, version="2.0"):
    gold, answer = words(gold), words(answer)
    if version == "2.0" and (gold == [] or answer == []):
        return 1 if gold == answer else 0
    rest, shared = list(gold), 0
    for word in answer:
        if word in rest:
            rest.remove(word)
            shared += 1
    if shared == 0:
        return 0
    precision, recall = shared / len(answer), shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def metrics(data, answers, null_odds=None, threshold=1.0):
    """The output of evaluate-v2.0.py for a parsed data file."""
    questions = [
        (question["id"], [a["text"] for a in question["answers"]])
        for article in data["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    rows = []  # (id, answerable, given, exact, f1)
    for key, texts in questions:
        golds = [text for text in texts if words(text)] or [""]
        rows.append(
            (
                key,
                bool(texts),
                answers[key],
                max(exact(gold, answers[key]) for gold in golds),
                max(f1(gold, answers[key]) for gold in golds),
            )
        )
    result = {}
    for name, chosen in (
        ("", rows),
        ("HasAns_", [row for row in rows if row[1]]),
        ("NoAns_", [row for row in rows if not row[1]]),
    ):
        if not chosen:
            continue
        for kind, column in (("exact", 3), ("f1", 4)):
            scores = []
            for row in chosen:
                silent = null_odds is not None and null_odds[row[0]] > threshold
                scores.append(
                    (0.0 if row[1] else 1.0) if silent else row[column]
                )
            result[name + kind] = 100.0 * sum(scores) / len(scores)
        result[name + "total"] = len(chosen)
    if null_odds is not None:
        for kind, column in (("exact", 3), ("f1", 4)):
            best, odds = best_threshold(rows, null_odds, column)
            result[f"best_{kind}"] = best
            result[f"best_{kind}_thresh"] = odds
    return result


def best_threshold(rows, null_odds, column):
    """Answers one question after another, in order of certainty."""
    by_id = {row[0]: row for row in rows}
    total = best = sum(1 for row in rows if not row[1])
    threshold = 0.0
    for key in sorted(null_odds, key=null_odds.get):
        row = by_id[key]
        if row[1]:
            total += row[column]
        elif row[2]:
            total -= 1
        if total > best:
            best, threshold = total, null_odds[key]
    return 100.0 * best / len(rows), threshold


def metrics_version_1(data, answers):
    """The output of evaluate-v1.1.py for a parsed data file."""
    total = right = overlap = 0
    for article in data["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                total += 1
                if question["id"] not in answers:
                    continue
                golds = [a["text"] for a in question["answers"]]
                answer = answers[question["id"]]
                right += max(exact(gold, answer) for gold in golds)
                overlap += max(f1(gold, answer, "1.1") for gold in golds)
    return {"exact_match": 100.0 * right / total, "f1": 100.0 * overlap / total}
