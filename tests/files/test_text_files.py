"""Every reader of text drops a byte order mark, and names UTF-16."""

import codecs
import json

import pytest

from albert_keras.conversion.pretrained_parts import read_json
from albert_keras.data.tasks.conll import read_conll
from albert_keras.data.tasks.glue import GLUE_TASKS, read_glue
from albert_keras.data.tasks.race import read_race
from albert_keras.data.tasks.squad import read_squad
from albert_keras.evaluation.squad_metrics import _read_by_id
from albert_keras.files.text_files import read_text
from albert_keras.training.callbacks.training_log import read_metrics
from albert_keras.training.runs.run_directory import RunDirectory
from albert_keras.workflows.settings.parse_settings import read_settings
from albert_keras.workflows.settings.task_settings import TokenSettings
from tests.squad_files import make_squad

PASSAGE = json.dumps(
    {
        "id": "high1.txt",
        "article": "A passage.",
        "questions": ["What?"],
        "options": [["a", "b", "c", "d"]],
        "answers": ["A"],
    }
)


def glue(path):
    return read_glue(GLUE_TASKS["CoLA"], path).texts


def race(path):
    return read_race(path.parents[2], "train", ["high"]).questions


def config(path):
    return read_settings(
        str(path), TokenSettings(pretrained="p", output_dir="o")
    )


READERS = {
    "squad.json": (read_squad, json.dumps(make_squad(1))),
    "predictions.json": (lambda p: _read_by_id(p, str), '{"1": "é"}'),
    "config.json": (read_json, '{"a": "é"}'),
    "train.tsv": (glue, "s\t1\t\té b\ns\t0\t\tc d\n"),
    "eng.train": (lambda p: read_conll(p).tags, "é O\nb B-X\n"),
    "RACE/train/high/1.txt": (race, PASSAGE),
    "RACE/train/high/all.txt": (race, f"{PASSAGE}\n"),
    "config.yaml": (config, "seed: 7\nname: é\n"),
    "text.txt": (read_text, "é\nb\n"),
    "run/settings.yaml": (
        lambda p: RunDirectory(p.parent).read_settings(),
        'seed: 7\nname: "é"\n',
    ),
    "metrics.csv": (read_metrics, "step,loss\n1,2.5\n"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_changes_nothing(name, tmp_path):
    read, text = READERS[name]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    plain = read(path)
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert read(path) == plain


@pytest.mark.parametrize(
    "name", sorted(READERS.keys() - {"metrics.csv", "config.json"})
)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16le"])
def test_utf_16_is_named_with_the_remedy(name, encoding, tmp_path):
    read, text = READERS[name]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((text + "plain text\n" * 9).encode(encoding))
    with pytest.raises(
        (ValueError, SystemExit), match="UTF-16.* text.*iconv -f utf-16"
    ):
        read(path)
