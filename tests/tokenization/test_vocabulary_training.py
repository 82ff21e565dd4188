"""A vocabulary is a function of the sentences and the seed."""

import hashlib
import subprocess
import sys

import pytest

from albert_keras.tokenization.vocabulary_training import train_vocabulary
from tests.conftest import make_text

PROGRAM = """
import sys
from albert_keras.tokenization.vocabulary_training import train_vocabulary
text, path, seed, size = sys.argv[1:]
with open(text, encoding="utf-8") as file:
    sentences = file.read().split("\\n")
train_vocabulary(
    sentences, path, 120, input_sentence_size=int(size), seed=int(seed)
)
"""


def trained(text, path, seed, size):
    """The checksum of a vocabulary that another process trains."""
    command = [sys.executable, "-c", PROGRAM, str(text), str(path)]
    subprocess.run([*command, str(seed), str(size)], check=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.process
def test_two_processes_train_the_same_vocabulary_on_a_sample(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text(make_text(400).replace("\n\n", "\n").lower())
    first, second, other, everything = (
        trained(text, tmp_path / f"{number}.model", seed, size)
        for number, (seed, size) in enumerate(
            [(0, 300), (0, 300), (1, 300), (0, 10_000)]
        )
    )
    assert first == second
    assert len({first, other, everything}) == 3


@pytest.mark.process
def test_a_sample_is_drawn_from_all_sentences(tmp_path):
    rare = ["zzz qqq"] * 2000
    sentences = ["bad dog fin got"] * 2000 + rare
    path = tmp_path / "v.model"
    train_vocabulary(sentences, path, 26, input_sentence_size=100)
    assert b"z" in path.read_bytes()
