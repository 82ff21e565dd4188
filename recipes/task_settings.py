"""Settings of the recipes for GLUE, RACE and token classification."""

import dataclasses
from typing import Literal

from albert_keras.data.race import LEVELS
from finetuning_settings import FinetuningSettings, TaskDefaults


def _table_14(
    learning_rate, batch_size, hidden_dropout, total_steps, warmup_steps
):
    """A row of the paper's table 14; the length is 512 in all of these."""
    return TaskDefaults(
        learning_rate=learning_rate,
        batch_size=batch_size,
        hidden_dropout=hidden_dropout,
        total_steps=total_steps,
        warmup_share=warmup_steps / total_steps,
        max_seq_length=512,
    )


GLUE_DEFAULTS = {
    "CoLA": _table_14(1e-5, 16, 0.0, 5336, 320),
    "STS-B": _table_14(2e-5, 16, 0.0, 3598, 214),
    "SST-2": _table_14(1e-5, 32, 0.0, 20935, 1256),
    "MNLI": _table_14(3e-5, 128, 0.0, 10000, 1000),
    "QNLI": _table_14(1e-5, 32, 0.0, 33112, 1986),
    "QQP": _table_14(5e-5, 128, 0.1, 14000, 1000),
    "RTE": _table_14(3e-5, 32, 0.1, 800, 200),
    "MRPC": _table_14(2e-5, 32, 0.0, 800, 200),
    "WNLI": _table_14(2e-5, 16, 0.1, 2000, 250),
}
# Of version 1. Google trained version 2 without dropout, at 1e-5.
RACE_DEFAULTS = _table_14(2e-5, 32, 0.1, 12000, 1000)
# The papers have none: from the ranges of BERT's appendix A.3 (Devlin et al.
# 2018); the warm-up is that of BERT's fine-tuning, the length covers most
# sentences of CoNLL-2003 (longer ones are cut into windows).
TOKEN_DEFAULTS = TaskDefaults(
    learning_rate=3e-5,
    batch_size=32,
    warmup_share=0.1,
    max_seq_length=128,
    epochs=3,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GlueSettings(FinetuningSettings):
    """Fine-tunes ALBERT on a task of GLUE, evaluates it, or predicts."""

    task: Literal[tuple(GLUE_DEFAULTS)]
    """Task of the benchmark."""

    data_dir: str
    """Folder that holds those of the tasks, such as RTE/train.tsv."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train and evaluate; evaluate `pretrained` on the dev files alone; or
    write the benchmark's submission for the test files."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RaceSettings(FinetuningSettings):
    """Fine-tunes ALBERT on RACE, evaluates it, or predicts."""

    data_dir: str
    """The folder RACE of the release, with train/middle and so on."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train, and evaluate on the dev split; evaluate `pretrained` on `split`
    alone; or answer its questions."""

    split: Literal["dev", "test"] = "dev"
    """What to evaluate on or answer, with the other modes."""

    level: Literal["both", "middle", "high"] = "both"
    """Schools whose questions to use."""

    max_choice_length: int = 128
    """Pieces of question and option that are kept, the last ones (Google)."""

    @property
    def levels(self):
        return LEVELS if self.level == "both" else (self.level,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenSettings(FinetuningSettings):
    """Fine-tunes ALBERT to tag words, evaluates it, or predicts."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train and evaluate; evaluate `pretrained` on the dev file alone; or tag
    the words of `test_file`."""

    train_file: str | None = None
    """File with a word a line, its tag in the last column."""

    dev_file: str | None = None
    """File to evaluate on, of the same format."""

    test_file: str | None = None
    """File to tag, with `--mode predict`; it needs no tags."""

    def check(self):
        super().check()
        needed = {"train": "train_file", "evaluate": "dev_file"}
        name = needed.get(self.mode, "test_file")
        if not getattr(self, name):
            raise ValueError(f"--mode {self.mode} needs --{name}.")
