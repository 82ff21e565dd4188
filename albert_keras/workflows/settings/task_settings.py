"""Settings of the recipes for each fine-tuning task."""

import dataclasses
from typing import ClassVar, Literal

from albert_keras.data.tasks.race import LEVELS
from albert_keras.tokenization.text_list import text_list
from albert_keras.workflows.settings.finetuning_settings import (
    FinetuningSettings,
    TaskDefaults,
)
from albert_keras.workflows.settings.run_settings import order_fields


def _table_14(
    learning_rate, global_batch_size, hidden_dropout, total_steps, warmup_steps
):
    """A row of the paper's table 14, all with a sequence length of 512."""
    return TaskDefaults(
        learning_rate=learning_rate,
        global_batch_size=global_batch_size,
        hidden_dropout=hidden_dropout,
        total_steps=total_steps,
        warmup_share=warmup_steps / total_steps,
        max_seq_length=512,
    )


# Paper, table 14; its steps are 2 and 3 epochs. The sequence length is 384 in
# Google's command for version 1.1 (its README also names it for 2.0), but 512
# in the paper.
SQUAD_DEFAULTS = {
    "1.1": TaskDefaults(
        learning_rate=5e-5,
        global_batch_size=48,
        warmup_share=0.1,
        max_seq_length=384,
        epochs=2,
    ),
    "2.0": TaskDefaults(
        learning_rate=3e-5,
        global_batch_size=48,
        warmup_share=0.1,
        max_seq_length=512,
        epochs=3,
    ),
}
GlueTaskName = Literal[
    "CoLA", "STS-B", "SST-2", "MNLI", "QNLI", "QQP", "RTE", "MRPC", "WNLI"
]
GLUE_DEFAULTS: dict[GlueTaskName, TaskDefaults] = {
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
# For version 1 models. Google trained version 2 without dropout, at 1e-5.
RACE_DEFAULTS = _table_14(2e-5, 32, 0.1, 12000, 1000)
# Not in the ALBERT papers: from the ranges of BERT's appendix A.3 (Devlin et
# al. 2018), with the warm-up of BERT's fine-tuning. The length covers most
# sentences of CoNLL-2003; longer ones are split into windows.
TOKEN_DEFAULTS = TaskDefaults(
    learning_rate=3e-5,
    global_batch_size=32,
    warmup_share=0.1,
    max_seq_length=128,
    epochs=3,
)
# Not in the ALBERT papers either: from the same ranges. The length is the
# paper's for GLUE; batches are only as long as their longest row.
CLASSIFICATION_DEFAULTS = TaskDefaults(
    learning_rate=3e-5,
    global_batch_size=32,
    warmup_share=0.1,
    max_seq_length=512,
    epochs=3,
)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class SquadSettings(FinetuningSettings):
    """Fine-tunes ALBERT on SQuAD 1.1 or 2.0, evaluates, or answers."""

    output_dir: str | None = None  # type: ignore[assignment]
    """Run directory, for settings, metrics, checkpoints, predictions and
    curves; optional for `--mode predict`."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train and evaluate; only evaluate `pretrained` on the dev file; or
    answer `question` about `text_file`."""

    train_file: str | None = None
    """train-v1.1.json, train-v2.0.json or another file of this format."""

    dev_file: str | None = None
    """File of the same format to evaluate on."""

    question: tuple[str, ...] = ()
    """Questions to answer with `--mode predict`."""

    text_file: str | None = None
    """Text file that the questions of `--mode predict` are about."""

    doc_stride: int = 128
    """Tokens from the start of one window to the start of the next."""

    max_query_length: int = 64
    """Maximum length of a question in tokens; the rest is truncated."""

    answerability_head: bool = False
    """Predict with a separate head whether there is an answer (Google's for
    2.0); without it, the score of [CLS] decides."""

    n_best: int = 20
    """Answers per question in nbest_predictions.json."""

    max_answer_length: int = 30
    """Maximum length of an answer in tokens."""

    null_score_threshold: float = 0.0
    """Null odds above which the answer is empty (version 2.0)."""

    def check(self) -> None:
        super().check()
        text_list(self.question, "question")
        _check_mode(
            self,
            train=("train_file", "output_dir"),
            evaluate=("dev_file", "output_dir"),
            predict=("question", "text_file"),
        )


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class GlueSettings(FinetuningSettings):
    """Fine-tunes ALBERT on a GLUE task, evaluates, or predicts."""

    task: GlueTaskName | Literal["all"]
    """Task of the benchmark, or all eight of the paper's table that have files,
    to make the table of medians."""

    data_dir: str
    """Folder with one folder per task, such as RTE with train.tsv."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train and evaluate; only evaluate `pretrained` on the dev files; or write
    the benchmark's submission for the test files."""

    seeds: int = 1
    """Number of runs of a task, with the seeds from `seed`; the paper reports
    the medians of 5."""

    from_mnli: bool = True
    """With `--task all`, start RTE, MRPC and STS-B from the best model of the
    runs on MNLI, as in the paper."""

    POSITIVE: ClassVar[frozenset[str]] = FinetuningSettings.POSITIVE | {"seeds"}

    @property
    def is_series(self) -> bool:
        """Whether there are several runs, for a table."""
        return self.task == "all" or self.seeds > 1

    def check(self) -> None:
        super().check()
        if self.is_series and self.mode != "train":
            raise ValueError(
                f"--task all and --seeds are for training. Received: --mode "
                f"{self.mode}. Pass one task and no --seeds."
            )
        if self.is_series and self.checkpoint_dir:
            raise ValueError(
                "--task all and --seeds make several runs, each with its own "
                "checkpoints. Omit --checkpoint_dir."
            )


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class RaceSettings(FinetuningSettings):
    """Fine-tunes ALBERT on RACE, evaluates, or answers its questions."""

    data_dir: str
    """The release's folder RACE, with train/middle and so on."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train and evaluate on the dev split; or, with `split`, only evaluate
    the model of `pretrained` or answer the questions."""

    split: Literal["dev", "test"] = "dev"
    """Split for the modes `evaluate` and `predict`."""

    level: Literal["both", "middle", "high"] = "both"
    """School levels whose questions to use."""

    max_choice_length: int = 128
    """Maximum length of question and option in tokens, of which the last are
    kept (as Google does)."""

    @property
    def levels(self) -> tuple[str, ...]:
        return LEVELS if self.level == "both" else (self.level,)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenSettings(FinetuningSettings):
    """Fine-tunes ALBERT to tag words, evaluates, or tags a file."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train and evaluate; only evaluate `pretrained` on the dev file; or tag
    the words of `test_file`."""

    train_file: str | None = None
    """File with one word per line and its tag in the last column."""

    dev_file: str | None = None
    """File of the same format to evaluate on."""

    test_file: str | None = None
    """File to tag with `--mode predict`; needs no tags."""

    def check(self) -> None:
        super().check()
        _check_mode(
            self,
            train=("train_file",),
            evaluate=("dev_file",),
            predict=("test_file",),
        )


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationSettings(FinetuningSettings):
    """Fine-tunes ALBERT on a table of texts and labels, evaluates, predicts."""

    output_dir: str | None = None  # type: ignore[assignment]
    """Run directory, for settings, metrics, checkpoints, predictions and
    figures; not for `--mode predict`."""

    mode: Literal["train", "evaluate", "predict"] = "train"
    """Train and evaluate; only evaluate `pretrained` on the dev file; or
    predict the labels of `input_file`."""

    train_file: str | None = None
    """CSV, TSV, JSON Lines or Parquet file with a text and a label per row."""

    dev_file: str | None = None
    """File with the same columns to evaluate on."""

    dev_share: float | None = None
    """Without `dev_file`: share of the training rows to evaluate on instead
    of training on them, chosen by `seed` with the same share of each class; 0
    for none. By default 0.1."""

    input_file: str | None = None
    """File to predict for with `--mode predict`; needs no labels."""

    output_file: str | None = None
    """File for `--mode predict`, in a format by its suffix: the columns of
    `input_file`, then `prediction` and `probability`."""

    text_column: str = "text"
    """Column of the texts."""

    pair_column: str | None = None
    """Column of the second texts, for pairs."""

    label_column: tuple[str, ...] = ("label",)
    """Column of the labels; several columns are a class each, with 0 or 1."""

    problem: Literal["single_label", "multi_label", "regression"] | None = None
    """One class for each text, any number of them, or a number; by default
    guessed from the labels: lists and `a|b` are several classes, more than 20
    different numbers or fractions a regression."""

    class_weights: str | None = None
    """Weights of the classes in the loss: `balanced`, or JSON: a list, or an
    object by name."""

    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    """Cross entropy, or focal loss (Lin et al. 2017), in which rows that are
    already predicted well count less; not for regression."""

    focal_gamma: float | None = None
    """Exponent of the focal weights (1 - p)^gamma; by default 2."""

    label_smoothing: float = 0.0
    """Share of each label that is divided among all classes (Szegedy et al.
    2016, who use 0.1), from 0 to below 1; not for regression."""

    encoding: str | None = None
    """Encoding of CSV and TSV files; by default found out."""

    metric: str | None = None
    """Score that decides `best/`; by default accuracy, average_precision
    (multi-label) or pearson (regression)."""

    all_probabilities: bool = False
    """Also write the probability of each class with `--mode predict`, in a
    column for each."""

    def check(self) -> None:
        super().check()
        _check_mode(
            self,
            train=("train_file", "output_dir"),
            evaluate=("dev_file", "output_dir"),
            predict=("input_file", "output_file"),
        )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                "--label_smoothing must be at least 0 and below 1. Received: "
                f"{self.label_smoothing}."
            )
        if self.focal_gamma is not None and self.loss != "focal":
            raise ValueError("--focal_gamma is for --loss focal. Pass both.")
        if self.focal_gamma is not None and not 0 <= self.focal_gamma < 100:
            raise ValueError(
                "--focal_gamma must be at least 0 and below 100. Received: "
                f"{self.focal_gamma}."
            )
        if not self.label_column:
            raise ValueError("--label_column needs the name of a column.")
        if self.dev_share is not None and self.dev_file:
            raise ValueError(
                "--dev_share is for runs without --dev_file. Pass one of them."
            )
        if self.dev_share is not None and not 0 <= self.dev_share < 1:
            raise ValueError(
                "--dev_share must be at least 0 and below 1. Received: "
                f"{self.dev_share}."
            )


def _check_mode(settings, **needed):
    """Raises a `ValueError` if settings that the mode needs are missing."""
    names = needed[settings.mode]
    missing = [f"--{name}" for name in names if not getattr(settings, name)]
    if missing:
        raise ValueError(
            f"--mode {settings.mode} needs {' and '.join(missing)}."
        )
