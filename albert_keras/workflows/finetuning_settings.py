"""Settings that the fine-tuning recipes share, and their plans.

What a task does not say comes from the paper's table 14 (ALBERT,
arXiv:1909.11942), Google's release or the AWS sample, see each task.
"""

import dataclasses
import math
from typing import ClassVar, Literal

from albert_keras.workflows.run_settings import RunSettings, order_fields


@dataclasses.dataclass(frozen=True)
class TaskDefaults:
    """Hyperparameters that a task is known to work with.

    Attributes:
        learning_rate: Peak, for AdamW.
        global_batch_size: Rows of an update over all ranks.
        warmup_share: Share of the updates.
        max_seq_length: Length of the longest rows.
        total_steps: Updates of `global_batch_size` rows; or
        epochs: passes over the data.
        hidden_dropout: Dropout of the encoder, attention included.
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
    """What a fine-tuning run comes to, given its data and ranks.

    Attributes:
        global_batch_size: Rows of an update over all ranks.
        total_steps, warmup_steps: Updates.
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
    """What every fine-tuning recipe can be told."""

    # === Paths ===

    pretrained: str
    """A pretrained directory of any format, a run's directory, or a hub's
    handle."""

    vocabulary: str | None = None
    """A SentencePiece model, where `pretrained` has none."""

    # === Model ===

    hidden_dropout_prob: float | None = None
    """Dropout of the hidden layers; by default the paper's for the task."""

    attention_probs_dropout_prob: float | None = None
    """Dropout of the attention probabilities; by default that of the hidden
    layers."""

    classifier_dropout_prob: float = 0.1
    """Dropout before the head (ALBERT paper, table 14)."""

    # === Data ===

    max_seq_length: int | None = None
    """Length of the longest rows; by default the paper's for the task."""

    group_by_length: bool = True
    """Put rows of like lengths into a batch, so that less is padded."""

    workers: int | None = None
    """Processes that encode; by default as many as pay off."""

    cache: bool = True
    """Keep the encoded texts beside their file."""

    # === Training ===

    batch_size: int | None = None
    """Rows in a micro-batch, on each rank, under JAX on each of the machine's
    devices; by default the paper's batch, shared out."""

    epochs: float | None = None
    """Passes over the training rows."""

    total_steps: int | None = None
    """Updates in all, in place of `epochs`; by default as many rows as the
    paper's for the task."""

    warmup_steps: int | None = None
    """Updates of warm-up; by default the paper's share for the task."""

    optimizer: Literal["adamw", "lamb"] = "adamw"
    """AdamW as in the papers, or LAMB (Google advises 3e-4 to 5e-4)."""

    learning_rate: float | None = None
    """Peak; by default the paper's for the task, with LAMB 3e-4."""

    layer_wise_learning_rate_decay: float = 1.0
    """What the rate is multiplied by from each part of the model to the one
    below: head, groups of layers, embeddings. 1 is none."""

    # === Evaluation ===

    eval_batch_size: int = 32
    """Rows of a batch in evaluation, on each rank or device."""

    validation_frequency: int | None = None
    """Updates between two evaluations; by default a quarter of the run."""

    keep_best: bool = True
    """Save the model with the best score as `best/` in the run directory."""

    early_stopping_patience: int | None = None
    """Stop after so many evaluations without a better score."""

    # === Logs ===

    checkpoint_frequency: int = 1000
    """Updates between two checkpoints."""

    keep_checkpoints: int = 1
    """How many checkpoints to keep."""

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

    def plan(self, defaults, num_rows, num_ranks):
        """The batch arithmetic of a run.

        Args:
            defaults: The task's `TaskDefaults`.
            num_rows: Training rows.
            num_ranks: Number of processes.

        Returns:
            A `Plan`.

        Raises:
            ValueError: If the paper's batch cannot be shared out evenly.
        """
        rows = self.compute_global_batch_size(defaults, num_ranks)
        if self.total_steps is not None:
            steps = self.total_steps
        elif self.epochs is not None or defaults.total_steps is None:
            epochs = defaults.epochs if self.epochs is None else self.epochs
            steps = max(1, round(epochs * num_rows / rows))
        else:
            # As many rows as in the paper, whatever the batch.
            steps = round(
                defaults.total_steps * defaults.global_batch_size / rows
            )
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

    def compute_global_batch_size(self, defaults, num_ranks):
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

    def peak_learning_rate(self, defaults):
        """The peak: given, the task's, or Google's advice for LAMB."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 3e-4 if self.optimizer == "lamb" else defaults.learning_rate

    def dropouts(self, defaults):
        """`hidden_dropout` and `attention_dropout` of the encoder."""
        hidden = self.hidden_dropout_prob
        if hidden is None:
            hidden = defaults.hidden_dropout
        attention = self.attention_probs_dropout_prob
        return {
            "hidden_dropout": hidden,
            "attention_dropout": hidden if attention is None else attention,
        }

    def check(self):
        """Raises where settings do not fit each other."""
        super().check()
        if self.epochs is not None and self.total_steps is not None:
            raise ValueError(
                "--epochs and --total_steps both say how long to train. "
                f"Pass one. Received: {self.epochs} and {self.total_steps}."
            )
