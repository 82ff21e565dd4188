"""Settings that the fine-tuning recipes share, and the plan of a run.

Defaults come from table 14 of the paper (ALBERT, arXiv:1909.11942), Google's
release or the AWS sample, see each task.
"""

import dataclasses
import math
from typing import ClassVar, Literal

from albert_keras.workflows.settings.run_settings import (
    RunSettings,
    order_fields,
)


@dataclasses.dataclass(frozen=True)
class TaskDefaults:
    """Published hyperparameters of a task.

    Attributes:
        learning_rate: Peak learning rate, for AdamW.
        global_batch_size: Rows of an update over all ranks.
        warmup_share: Warm-up, as a share of the updates.
        max_seq_length: Maximum sequence length in tokens.
        total_steps: Updates of `global_batch_size` rows, or None.
        epochs: Passes over the data, if there are no `total_steps`.
        hidden_dropout: Dropout rate of the encoder, including attention.
    """

    learning_rate: float
    global_batch_size: int
    warmup_share: float
    max_seq_length: int
    total_steps: int | None = None
    epochs: float | None = None
    hidden_dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """Length and batch size of a run, given its data and ranks.

    Attributes:
        global_batch_size: Rows of an update over all ranks.
        total_steps, warmup_steps: Numbers of updates.
        validation_frequency: Updates between two evaluations.
        epochs: Passes over the training rows.
    """

    global_batch_size: int
    total_steps: int
    warmup_steps: int
    validation_frequency: int
    epochs: float


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuningSettings(RunSettings):
    """Settings of every fine-tuning recipe."""

    # === Paths ===

    pretrained: str
    """Pretrained directory of any format, run directory, or hub handle."""

    vocabulary: str | None = None
    """SentencePiece model, if `pretrained` has none."""

    # === Model ===

    hidden_dropout_prob: float | None = None
    """Dropout rate of the hidden layers; by default the paper's for the
    task."""

    attention_probs_dropout_prob: float | None = None
    """Dropout rate of the attention weights; by default that of the hidden
    layers."""

    classifier_dropout_prob: float = 0.1
    """Dropout rate before the head (ALBERT paper, table 14)."""

    # === Data ===

    max_seq_length: int | None = None
    """Maximum sequence length in tokens; by default the paper's for the
    task."""

    group_by_length: bool = True
    """Batch rows of similar length, for less padding."""

    workers: int | None = None
    """Processes that encode text; by default chosen by its size."""

    cache: bool = True
    """Cache the encoded texts next to their file."""

    # === Training ===

    batch_size: int | None = None
    """Rows per micro-batch on each rank; on JAX, on each device of the
    machine. By default the paper's batch, divided among them."""

    epochs: float | None = None
    """Passes over the training rows."""

    total_steps: int | None = None
    """Total number of updates, instead of `epochs`; by default for as many
    rows as in the paper."""

    warmup_steps: int | None = None
    """Warm-up updates; by default the paper's share for the task."""

    optimizer: Literal["adamw", "lamb"] = "adamw"
    """AdamW as in the papers, or LAMB (Google recommends rates of 3e-4 to
    5e-4)."""

    learning_rate: float | None = None
    """Peak learning rate; by default the paper's for the task, or 3e-4 with
    LAMB."""

    layer_wise_learning_rate_decay: float = 1.0
    """Factor of the learning rate from each part of the model to the one below
    it: head, layer groups, embeddings. 1 for none."""

    # === Evaluation ===

    eval_batch_size: int = 32
    """Rows per batch in evaluation, on each rank or device."""

    validation_frequency: int | None = None
    """Updates between two evaluations; by default a quarter of the run."""

    keep_best: bool = True
    """Save the model with the best score to `best/` in the run directory."""

    early_stopping_patience: int | None = None
    """Stop after this many evaluations without a better score."""

    # === Logs ===

    checkpoint_frequency: int = 1000
    """Updates between two checkpoints."""

    keep_checkpoints: int = 1
    """Number of checkpoints to keep."""

    MAY_CHANGE: ClassVar[frozenset[str]] = RunSettings.MAY_CHANGE | {
        "name",
        "workers",
        "cache",
        "eval_batch_size",
    }
    POSITIVE: ClassVar[frozenset[str]] = RunSettings.POSITIVE | {
        "eval_batch_size",
        "epochs",
        "early_stopping_patience",
        "max_seq_length",
        "workers",
    }

    def plan(
        self, defaults: TaskDefaults, num_rows: int, num_ranks: int
    ) -> Plan:
        """Computes batch size and number of updates.

        Args:
            defaults: Hyperparameters of the task.
            num_rows: Number of training rows.
            num_ranks: Number of ranks, or of devices on JAX.

        Raises:
            ValueError: If the paper's batch cannot be divided evenly.
        """
        rows = self.compute_global_batch_size(defaults, num_ranks)
        total_rows: float
        if self.epochs is None and defaults.total_steps is not None:
            # As many rows as in the paper, whatever the batch size.
            total_rows = defaults.total_steps * defaults.global_batch_size
        else:
            total_rows = (self.epochs or defaults.epochs or 0) * num_rows
        steps = self.total_steps or max(1, round(total_rows / rows))
        warmup = self.warmup_steps
        if warmup is None:
            warmup = min(round(defaults.warmup_share * steps), steps - 1)
        return Plan(
            global_batch_size=rows,
            total_steps=steps,
            warmup_steps=warmup,
            validation_frequency=(
                self.validation_frequency or math.ceil(steps / 4)
            ),
            epochs=steps * rows / num_rows,
        )

    def compute_global_batch_size(
        self, defaults: TaskDefaults, num_ranks: int
    ) -> int:
        """Rows of an update over all ranks."""
        num_micro_batches = self.gradient_accumulation_steps * num_ranks
        if self.batch_size is not None:
            return self.batch_size * num_micro_batches
        if defaults.global_batch_size % num_micro_batches:
            raise ValueError(
                f"The task's batch of {defaults.global_batch_size} rows cannot "
                f"be divided among {num_ranks} ranks or devices x "
                f"{self.gradient_accumulation_steps} micro-batches. Pass "
                "--batch_size, the rows of a micro-batch on each rank."
            )
        return defaults.global_batch_size

    def peak_learning_rate(self, defaults: TaskDefaults) -> float:
        """The peak: given, the task's, or Google's for LAMB."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 3e-4 if self.optimizer == "lamb" else defaults.learning_rate

    def dropouts(self, defaults: TaskDefaults) -> dict[str, float]:
        """The encoder's `hidden_dropout` and `attention_dropout`."""
        hidden = self.hidden_dropout_prob
        if hidden is None:
            hidden = defaults.hidden_dropout
        attention = self.attention_probs_dropout_prob
        return {
            "hidden_dropout": hidden,
            "attention_dropout": hidden if attention is None else attention,
        }

    def check(self) -> None:
        super().check()
        if self.epochs is not None and self.total_steps is not None:
            raise ValueError(
                "--epochs and --total_steps both set the length of training. "
                f"Pass one. Received: {self.epochs} and {self.total_steps}."
            )
