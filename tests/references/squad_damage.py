"""Makes randomly damaged answers to a SQuAD file, and scores them.

    python -m tests.references.squad_damage DATA.json --sets 1000 --write_to DIR

writes prediction sets, `predictions-0000.json` and `null_odds-0000.json` and
so on, for any script to score, and compares this package's metrics with the
reference's, which must be equal to the last digit. `--expected FILE` writes
the reference's.
"""

import argparse
import json
import random
from pathlib import Path

from tests.references import squad_metrics as reference


def damaged_set(data, seed):
    """Makes answers, some of them damaged, and null odds, by question id."""
    rng = random.Random(seed)
    share = rng.random()  # of the answers that are damaged
    answers, null_odds = {}, {}
    for article in data["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                golds = [answer["text"] for answer in question["answers"]]
                text = rng.choice(golds) if golds else ""
                if rng.random() < share:
                    text = damage(text, paragraph["context"], rng)
                answers[question["id"]] = text
                null_odds[question["id"]] = round(rng.gauss(0, 3), 3)
    return answers, null_odds


def damage(text, context, rng):
    """Changes an answer in one of many ways."""
    start = rng.randrange(max(len(context), 1))
    span = context[start : start + rng.randrange(60)]
    words = text.split()
    rng.shuffle(words)
    ways = (
        "",
        span,
        f"the {text}",
        f"An {text.upper()} a",
        f"  {text}\t\n",
        f'"{text}".',
        "-".join(text),
        " ".join(words),
        f"{text} {text}",
        text[: len(text) // 2],
        text.replace("e", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
        f"{text}\N{EN DASH}\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}x",
        "the",
        "a, an... the!",
        text.translate({ord("i"): "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"}),
        f"{text} and {span}",
    )
    return rng.choice(ways)


def main():
    from albert_keras.data.tasks.squad import read_squad
    from albert_keras.evaluation.squad_metrics import squad_metrics

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--write_to", type=Path)
    parser.add_argument("--expected", type=Path)
    options = parser.parse_args()
    data = json.loads(options.data.read_text(encoding="utf-8"))
    squad = read_squad(options.data)
    expected = []
    for seed in range(options.sets):
        answers, null_odds = damaged_set(data, seed)
        if options.write_to:
            options.write_to.mkdir(parents=True, exist_ok=True)
            for name, values in (
                ("predictions", answers),
                ("null_odds", null_odds),
            ):
                path = options.write_to / f"{name}-{seed:04d}.json"
                path.write_text(json.dumps(values), encoding="utf-8")
        expected.append(reference.metrics(data, answers, null_odds))
        ours = squad_metrics(squad, answers, null_odds)
        assert ours == expected[-1], (seed, ours, expected[-1])
        assert list(ours) == list(expected[-1])
    print(f"{options.sets} damaged sets: equal to the last digit.")
    if options.expected:
        lines = ",\n".join(json.dumps(row) for row in expected)
        options.expected.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
