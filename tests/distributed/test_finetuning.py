"""Fine-tuning does not depend on how a batch is split over ranks."""

import json

import numpy as np
import pytest

import albert_keras as ak
from albert_keras.data.corpus.prepare import prepare_corpus
from albert_keras.data.corpus.token_store import TokenStore
from albert_keras.training.callbacks.training_log import read_metrics
from tests.conftest import make_text
from tests.distributed.launch import needs_horovod, run_forked
from tests.squad_files import write_squad

pytestmark = [pytest.mark.process, pytest.mark.slow, needs_horovod]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Directories of the same fine-tuning, by number of ranks."""
    directory = tmp_path_factory.mktemp("squad")
    (directory / "text.txt").write_text(make_text(), encoding="utf-8")
    prepare_corpus(
        [directory / "text.txt"], directory / "corpus", vocabulary_size=150
    )
    tokenizer = TokenStore(directory / "corpus").tokenizer
    backbone = ak.AlbertBackbone.from_size(
        "tiny", vocabulary_size=150, num_layers=2, max_sequence_length=64
    )
    backbone.save_pretrained(directory / "pretrained", tokenizer=tokenizer)
    flags = (
        f"--pretrained {directory}/pretrained "
        f"--train_file {write_squad(directory / 'train.json')} "
        f"--dev_file {write_squad(directory / 'dev.json', seed=1)} "
        "--max_seq_length 48 --max_query_length 12 --doc_stride 16 "
        "--gradient_accumulation_steps 2 --total_steps 6 --warmup_steps 1 "
        "--learning_rate 1e-4 --log_frequency 2 --answerability_head "
        "--classifier_dropout_prob 0 --eager"
    ).split()
    for ranks in (1, 2):
        run_forked(
            ranks,
            "recipes/finetune_squad.py",
            *flags,
            *(
                "--batch_size",
                4 // ranks,
                "--output_dir",
                directory / str(ranks),
            ),
        )
    return {ranks: directory / str(ranks) for ranks in (1, 2)}


def test_weights_are_the_same_on_one_and_on_two_ranks(runs):
    one, two = (ak.load_model(path) for path in runs.values())
    start = ak.AlbertBackbone.from_pretrained(runs[1].parent / "pretrained")
    moved = start.token_table - one.backbone.token_table
    assert np.abs(moved).max() > 1e-4
    for mine, theirs in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=0, atol=1e-6)


def test_scores_and_logs_are_those_of_all_ranks(runs):
    files = [
        json.loads((path / "eval_metrics.json").read_text())
        for path in runs.values()
    ]
    assert files[0].keys() == files[1].keys() and files[0]["total"] == 20
    for name, value in files[0].items():
        assert files[1][name] == pytest.approx(value, abs=1e-4), name
    logs = [read_metrics(path / "metrics.csv") for path in runs.values()]
    for mine, theirs in zip(*logs, strict=True):
        for name in ("step", "loss", "span_f1", "answerable_accuracy"):
            assert theirs[name] == pytest.approx(mine[name], abs=1e-5), name
