"""A table's classifier does not depend on the number of ranks."""

import json

import numpy as np
import pytest

import albert_keras as ak
from tests.distributed.launch import needs_horovod, run_forked

pytestmark = [pytest.mark.process, pytest.mark.slow, needs_horovod]

RECIPE = "recipes/finetune_classification.py"
TEXTS = "--max_seq_length 32 --eval_batch_size 3"
TRAINING = (
    "--total_steps 4 --warmup_steps 1 --learning_rate 1e-3 --dev_share 0.3 "
    "--gradient_accumulation_steps 2 --hidden_dropout_prob 0 --eager "
    "--classifier_dropout_prob 0 --class_weights balanced"
)


@pytest.fixture
def folders(tmp_path, store):
    """Runs and predictions of one and of two ranks."""
    config = ak.AlbertConfig.from_size(
        "tiny",
        vocabulary_size=150,
        num_layers=1,
        max_sequence_length=32,
    )
    backbone = ak.AlbertBackbone.from_albert_config(config)
    backbone.save_pretrained(tmp_path / "base", tokenizer=store.tokenizer)
    rng = np.random.default_rng(0)
    table = tmp_path / "table.jsonl"
    lines = [
        {"text": " ".join(rng.choice(["ba", "de", "fi"], 4)), "label": labels}
        for labels in [["a"], ["b"], ["a", "b"], []] * 8
    ]
    table.write_text("\n".join(map(json.dumps, lines)))
    found = []
    for ranks in (1, 2):
        run = tmp_path / str(ranks)
        files = f"--pretrained {tmp_path}/base --train_file {table}"
        batch = f"--batch_size {4 // ranks} --output_dir {run}"
        argv = f"{files} {batch} {TEXTS} {TRAINING}".split()
        run_forked(ranks, RECIPE, *argv)
        files = f"--pretrained {run}/best --input_file {table}"
        target = f"--output_file {tmp_path}/{ranks}.jsonl --all_probabilities"
        argv = f"--mode predict {files} {target} {TEXTS}".split()
        run_forked(ranks, RECIPE, *argv)
        lines = (tmp_path / f"{ranks}.jsonl").read_text().splitlines()
        found.append((run, [json.loads(line) for line in lines]))
    return found


def test_weights_scores_and_predictions_are_the_same_on_two_ranks(folders):
    (one, rows), (two, others) = folders
    models = [ak.load_model(run) for run in (one, two)]
    for mine, theirs in zip(*(m.weights for m in models), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    np.testing.assert_allclose(
        *(model.thresholds for model in models), atol=1e-5
    )
    scores = [
        json.loads((run / "eval_metrics.json").read_text())
        for run in (one, two)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert len(rows) == len(others) == 32
    for mine, theirs in zip(rows, others, strict=True):
        assert mine["text"] == theirs["text"]
        for name in ("probability_a", "probability_b"):
            assert mine[name] == pytest.approx(theirs[name], abs=1e-5)
