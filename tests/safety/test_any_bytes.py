"""Any file content gives a result, or a `ValueError` with the file's name."""

import gzip
import json
import shutil
import struct

import hypothesis
import numpy as np
import pytest
import yaml
from hypothesis import strategies as st

from albert_keras import (
    AlbertBackbone,
    AlbertConfig,
    AlbertForSequenceClassification,
    load_model,
)
from albert_keras.conversion import FORMATS, read_pretrained
from albert_keras.data import AlbertTokenizer, PretrainingDataset, TokenStore
from albert_keras.data.corpus.plan import CorpusPlan, TextSettings
from albert_keras.data.corpus.store_manifest import MANIFEST_FILE
from albert_keras.data.pretraining.google_records import (
    PretrainingRecords,
    write_pretraining_records,
)
from albert_keras.data.pretraining.tf_example import (
    read_features,
    write_features,
)
from albert_keras.data.pretraining.tfrecord import masked_checksum
from albert_keras.data.reading.documents import read_documents
from albert_keras.data.tasks.conll import read_conll
from albert_keras.data.tasks.glue import GLUE_TASKS, read_glue
from albert_keras.data.tasks.race import read_race
from albert_keras.data.tasks.squad import read_squad
from albert_keras.evaluation.squad_metrics import main as squad_metrics
from albert_keras.files.run_layout import SETTINGS_FILE
from albert_keras.training.callbacks.training_log import read_metrics
from albert_keras.training.runs.checkpoint import newest_checkpoint
from albert_keras.training.runs.run_directory import RunDirectory
from albert_keras.workflows.settings.parse_settings import parse_settings
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from tests.safety.damage import (
    DEEP,
    contents,
    cut_up,
    json_values,
    reads_or_refuses,
)
from tests.squad_files import make_squad

# Of examples that take 0.1 s each.
FEW = hypothesis.settings.default.max_examples // 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any_bytes")


def encoded(value):
    return json.dumps(value).encode()


# === Tasks ===

SQUAD = make_squad(num_paragraphs=1, questions=3)
RACE = {
    "id": "high1.txt",
    "article": "A passage.",
    "questions": ["What is it?"],
    "options": [["a", "b", "c", "d"]],
    "answers": ["A"],
}
CONLL = b"-DOCSTART- O\n\nAda B-PER\nis O\n\nhere O\n"


NO_QUESTION = b'{"data": [{"paragraphs": [{"context": "A", "qas": [null]}]}]}'


@hypothesis.given(content=contents(encoded(SQUAD), SQUAD))
@hypothesis.example(content=DEEP)
@hypothesis.example(content=NO_QUESTION)
def test_squad(folder, content):
    path = folder / "squad.json"
    reads_or_refuses(lambda: read_squad(path), path, content)


@hypothesis.given(content=contents(encoded({"1": "a"}), {"1": "a", "2": 0.5}))
@hypothesis.example(content=DEEP)
def test_predictions_for_squad(folder, content, capsys):
    data, path = folder / "data.json", folder / "predictions.json"
    data.write_bytes(encoded(SQUAD))
    path.write_bytes(content)
    with pytest.raises(SystemExit):  # no content answers all questions
        squad_metrics([str(data), str(path), "--na-prob-file", str(path)])
    assert "predictions" in capsys.readouterr().err


@hypothesis.given(content=contents(encoded(RACE), RACE))
@hypothesis.example(content=DEEP)
@pytest.mark.parametrize("name", ["1.txt", "all.txt"])
def test_race(folder, name, content):
    path = folder / name.removesuffix(".txt") / "dev" / "high" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    reads_or_refuses(
        lambda: read_race(path.parents[2], "dev", ["high"]),
        path,
        content,
        name=f"{path.parent}",
    )


@hypothesis.given(
    content=contents(b"index\tsentence1\tsentence2\tscore\n0\ta\tb\t2.5\n")
)
@pytest.mark.parametrize("name", ["STS-B", "CoLA"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_glue(folder, name, split, content):
    path = folder / f"{name}-{split}.tsv"
    task = GLUE_TASKS[name]
    reads_or_refuses(lambda: read_glue(task, path, split), path, content)


@hypothesis.given(content=contents(CONLL))
@pytest.mark.parametrize("has_tags", [True, False])
def test_conll(folder, content, has_tags):
    path = folder / "tags.txt"
    reads_or_refuses(lambda: read_conll(path, has_tags), path, content)


# === Texts ===

ROW = {"text": "A document.\nOf two lines."}
PAGE = (
    b"<mediawiki>\n<page>\n<title>A</title>\n<ns>0</ns>\n<revision>\n"
    b"<text>[[A|b]] {{c}} '''d'''</text>\n</revision>\n</page>\n</mediawiki>\n"
)


@hypothesis.given(content=contents(encoded(ROW), ROW))
@hypothesis.example(content=DEEP)
@hypothesis.example(content=encoded({"text": "\ud800"}))
def test_json_lines(folder, content):
    path = folder / "text.jsonl"
    reads_or_refuses(lambda: list(read_documents(path)), path, content)


@hypothesis.given(content=contents(PAGE))
@hypothesis.example(content=PAGE.replace(b"<title>A</title>\n", b""))
def test_a_dump_of_wikipedia(folder, content):
    path = folder / "dump.xml"
    reads_or_refuses(lambda: list(read_documents(path)), path, content)


@hypothesis.given(content=contents(gzip.compress(b"A text.\n" * 9, mtime=0)))
@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".zst"])
def test_plain_text_packed_or_not(folder, suffix, content):
    path = folder / f"text.txt{suffix}"
    reads_or_refuses(lambda: list(read_documents(path)), path, content)


# === Prepared data ===


@pytest.fixture(scope="module")
def prepared(corpus, folder):
    return shutil.copytree(corpus, folder / "corpus")


@hypothesis.given(data=st.data())
def test_the_manifest_of_a_token_store(prepared, corpus, data):
    whole = (corpus / MANIFEST_FILE).read_bytes()
    content = data.draw(contents(whole, json.loads(whole)))

    def read():
        store = TokenStore(prepared)
        store.documents("train")
        assert np.isfinite(store.unigram_entropy)
        store.verify()
        PretrainingDataset(store, 16, 2)[0]

    reads_or_refuses(read, prepared / MANIFEST_FILE, content, prepared.name)


@hypothesis.given(data=st.data())
def test_the_plan_of_a_corpus(folder, text_file, data):
    parts = folder / "corpus.parts"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    plan = CorpusPlan.begin(parts, [text_file], TextSettings(), {"size": 9})
    content = data.draw(contents(encoded(plan.record), plan.record))
    reads_or_refuses(
        lambda: CorpusPlan.load(parts), parts / "plan.json", content
    )


@pytest.fixture(scope="module")
def record(corpus, folder):
    """A valid TFRecord file, and the message of its first record."""
    path = folder / "whole.tfrecord"
    dataset = PretrainingDataset(TokenStore(corpus), 16, 1)
    write_pretraining_records(path, dataset, range(2))
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    return whole, whole[12 : 12 + length]


@hypothesis.given(data=st.data())
def test_a_tfrecord_file(folder, record, data):
    whole, _ = record
    content = data.draw(contents(whole) | contents(gzip.compress(whole)))
    path = folder / "any.tfrecord"
    reads_or_refuses(lambda: PretrainingRecords(path, 1)[0], path, content)


@hypothesis.given(data=st.data())
def test_a_record_with_the_right_checksums(folder, record, data):
    _, whole = record
    features = {
        name: np.frombuffer(values, "uint8")
        for name, (_, values) in read_features(whole).items()
    }
    removed = data.draw(st.sampled_from([None, *features]))
    features.pop(removed, None)
    message = data.draw(
        st.binary()
        | cut_up(whole)
        | st.just(write_features(features))
        | st.just(b"\n\x02\n\x00")  # a feature without name and values
    )
    header = struct.pack("<Q", len(message))
    content = b"".join(
        part + struct.pack("<I", masked_checksum(part))
        for part in (header, message)
    )
    path = folder / "checked.tfrecord"
    reads_or_refuses(lambda: PretrainingRecords(path, 1)[0], path, content)


# === Models and runs ===


@pytest.fixture(scope="module")
def models(folder):
    """Directories of a tiny model in the formats that this package parses."""
    config = AlbertConfig(
        vocabulary_size=10,
        num_layers=1,
        num_heads=1,
        embedding_dim=2,
        hidden_dim=4,
        intermediate_dim=4,
        max_sequence_length=4,
    )
    model = AlbertForSequenceClassification(
        AlbertBackbone.from_config(config), class_names=["no", "yes"]
    )
    for format in ("keras", "huggingface", "google"):
        model.save_pretrained(folder / format, format=format)
    return folder


@hypothesis.given(data=st.data())
@pytest.mark.parametrize("format", ["keras", "huggingface", "google"])
@pytest.mark.heavy
def test_the_configuration_of_a_model(models, format, data):
    path = models / format / FORMATS[format].CONFIG_FILE
    whole = path.read_bytes()
    content = data.draw(contents(whole, json.loads(whole)))
    try:
        reads_or_refuses(
            lambda: load_model(path.parent),
            path,
            content,
            format,
        )
    finally:
        path.write_bytes(whole)


def test_names_of_other_classes_are_refused_by_the_name_of_the_model(models):
    path = models / "keras" / "albert_keras.json"
    whole = path.read_bytes()
    description = json.loads(whole)
    description["arguments"]["class_names"] = ["yes"]
    try:
        path.write_bytes(encoded(description))
        with pytest.raises(ValueError, match="keras.*2 different names"):
            load_model(path.parent)
    finally:
        path.write_bytes(whole)


@hypothesis.given(data=st.data())
def test_the_weights_of_a_model(models, data):
    path = models / "keras" / "weights.safetensors"
    whole = path.read_bytes()
    content = data.draw(contents(whole))
    try:
        reads_or_refuses(lambda: read_pretrained(path.parent), path, content)
    finally:
        path.write_bytes(whole)


@hypothesis.given(data=st.data())
def test_a_vocabulary(folder, corpus, data):
    whole = (corpus / "vocabulary.model").read_bytes()
    path = folder / "any.model"
    content = data.draw(contents(whole))
    reads_or_refuses(
        lambda: AlbertTokenizer(path).encode(["Any text, 2009,"]),
        path,
        content,
    )


SETTINGS = {"lowercase": True, "remove_accents": False, "style": "google"}


@hypothesis.given(content=contents(encoded(SETTINGS), SETTINGS))
def test_the_settings_of_a_tokenizer(folder, corpus, content):
    directory = folder / "tokenizer"
    directory.mkdir(exist_ok=True)
    shutil.copy(corpus / "vocabulary.model", directory)
    path = directory / "albert_keras_tokenizer.json"
    reads_or_refuses(
        lambda: AlbertTokenizer.from_pretrained(directory), path, content
    )


@hypothesis.given(content=contents(b"seed: 1\nname: null\n"))
def test_the_settings_of_a_run(folder, content):
    run = RunDirectory(folder)
    path = folder / SETTINGS_FILE
    reads_or_refuses(run.read_settings, path, content)


@hypothesis.given(content=contents(b"step,loss\n1,0.5\n2,\n"))
def test_the_metrics_of_a_run(folder, content):
    path = folder / "metrics.csv"
    reads_or_refuses(lambda: read_metrics(path), path, content)


DESCRIPTION = {"step": 1, "sha256": "0" * 64, "settings": {}, "variables": {}}


@hypothesis.given(content=contents(encoded(DESCRIPTION), DESCRIPTION))
@hypothesis.example(content=DEEP)
def test_a_damaged_checkpoint_is_stepped_over(folder, content):
    path = folder / "checkpoints" / "step-00000001"
    path.mkdir(parents=True, exist_ok=True)
    (path / "training_state.safetensors").write_bytes(b"")
    (path / "training_state.json").write_bytes(content)
    assert newest_checkpoint(path.parent) is None


@hypothesis.settings(max_examples=FEW)
@hypothesis.given(
    content=contents(b"total_steps: 7\nname: x\n")
    | st.dictionaries(
        st.sampled_from("total_steps name pretrained resume".split()),
        json_values,
    ).map(lambda values: yaml.safe_dump(values, allow_unicode=False).encode())
)
@hypothesis.example(content=DEEP)
@hypothesis.example(content=b"a: &a [x]\nb: [*a, *a]\n")
@hypothesis.example(content=b"!!python/object/apply:os.system ['true']\n")
@pytest.mark.heavy
def test_the_configuration_of_a_recipe(folder, content, capsys):
    path = folder / "run.yaml"
    path.write_bytes(content)
    required = "--data_dir d --output_dir o".split()
    try:
        parse_settings(
            PretrainingSettings,
            ["--config", str(path), *required],
        )
    except SystemExit as stop:
        said = f"{stop} {capsys.readouterr().err}"
        # An invalid value is reported by its flag.
        assert "run.yaml" in said or "--" in said, said
