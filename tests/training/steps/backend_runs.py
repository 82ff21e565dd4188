"""Runs of the pretraining recipe on Keras's current backend.

    KERAS_BACKEND=jax python -m tests.training.steps.backend_runs \\
        CORPUS START OUT whole resumed

The names are those of the runs in OUT. `whole` gets twenty updates from the
weights in START; `resumed` is the second half of it, run again, `other` that
of `tensorflow`, a run made before; `bfloat16` gets twenty updates. `squad` is
fine-tuned for three updates on OUT/squad.json; on two devices, it also writes
their random states.
"""

import json
import shutil
import sys
from pathlib import Path

import keras
import pytest

from albert_keras import AlbertForMaskedLM
from tests.conftest import recipe_loader

FLAGS = (
    "--load_from pretrained --max_seq_length 32 "
    "--gradient_accumulation_steps 2 --learning_rate 0.01 "
    "--warmup_steps 2 --total_steps 20 "
    "--validation_steps 2 --log_frequency 1 --validation_frequency 10 "
    "--checkpoint_frequency 10 --hidden_dropout_prob 0"
).split()
ROWS = 8  # of a micro-batch, on all devices


def run_recipe(name, *argv):
    with pytest.MonkeyPatch.context() as monkeypatch:
        recipe_loader(monkeypatch)(name).main(argv)


def pretrain(corpus, start, out, *more, rows=ROWS):
    run_recipe(
        "pretrain",
        *("--data_dir", str(corpus), "--pretrained", str(start)),
        *("--output_dir", str(out), "--batch_size", str(rows)),
        *FLAGS,
        *more,
    )


def second_half(run, copy):
    """Copies a run as it was after ten updates."""
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "checkpoints" / "step-00000020")
    return copy


def finetune(start, out):
    squad = str(out / "squad.json")
    run_recipe(
        "finetune_squad",
        *("--pretrained", str(start), "--output_dir", str(out / "squad")),
        *("--train_file", squad, "--dev_file", squad),
        *("--max_seq_length", "32", "--doc_stride", "8"),
        *("--total_steps", "3", "--warmup_steps", "0"),
        *("--batch_size", "2", "--eval_batch_size", "3"),
        *("--max_query_length", "8", "--workers", "1"),
    )


def random_states(start):
    """The random state of a dropout before, on each device, and after."""
    import jax

    from albert_keras.training.steps import jax_step

    model = AlbertForMaskedLM.from_pretrained(start, hidden_dropout=0.1)
    model.compile()
    states = [v.value for v in model.non_trainable_variables]

    def accumulate(trainable, carried, batch):
        return [], {"states": batch * carried[0][0][0]}, carried

    sums, (after, _) = jax.jit(
        lambda states: jax_step._accumulate_on_each_device(accumulate, model)(
            [], (states, []), jax.numpy.eye(2, dtype="uint32")
        )[1:]
    )(states)
    return {
        "before": int(states[0][0]),
        "on_devices": sums["states"][0].tolist(),
        "after": int(after[0][0]),
    }


def main(corpus, start, out, *names):
    out = Path(out)
    rows = ROWS // len(keras.distribution.list_devices())
    if "whole" in names:
        pretrain(corpus, start, out / "whole", rows=rows)
    for run, copy in (("whole", "resumed"), ("tensorflow", "other")):
        if copy in names:
            directory = second_half(out / run, out / copy)
            pretrain(corpus, start, directory, "--resume")
    if "bfloat16" in names:
        bfloat16 = ("--precision", "mixed_bfloat16")
        pretrain(corpus, start, out / "bfloat16", *bfloat16)
    if "squad" in names:
        finetune(start, out)
        states = json.dumps(random_states(start))
        (out / "random_states.json").write_text(states)


if __name__ == "__main__":
    main(*sys.argv[1:])
