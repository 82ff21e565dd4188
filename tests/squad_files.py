"""SQuAD files made of words in the tests' vocabulary."""

import json

import numpy as np


def make_squad(num_paragraphs=4, questions=5, seed=0, version="v2.0"):
    """The content of a file.

    A paragraph tells the places of several names; each question asks for one
    place. In version 2.0, every third question has no answer in it.
    """
    rng = np.random.default_rng(seed)
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    words = ["".join(rng.choice(syllables, 2)) for _ in range(60)]
    paragraphs = []
    for p in range(num_paragraphs):
        names = rng.choice(words[:30], questions, replace=False)
        places = rng.choice(words[30:], questions)
        present = [
            version == "1.1" or (p + n) % 3 > 0 for n in range(questions)
        ]
        facts = [
            (name, place)
            for name, place, there in zip(names, places, present, strict=True)
            if there
        ]
        context = " ".join(
            f"{name.title()} ra {place}." for name, place in facts
        )
        qas = []
        for n, name in enumerate(names):
            answers = []
            if present[n]:
                sentence = f"{name.title()} ra "
                start = context.index(sentence) + len(sentence)
                answers = [{"text": str(places[n]), "answer_start": start}]
            question = {
                "id": f"{seed}-{p}-{n}",
                "question": f"ra {name}?",
                "answers": answers,
            }
            if version != "1.1":
                question["is_impossible"] = not answers
            qas.append(question)
        paragraphs.append({"context": context, "qas": qas})
    return {
        "version": version,
        "data": [{"title": "Names", "paragraphs": paragraphs}],
    }


def write_squad(path, **kwargs):
    """Writes the JSON of `make_squad` and returns its path."""
    path.write_text(json.dumps(make_squad(**kwargs)), encoding="utf-8")
    return path
