"""Settings of a pretraining run, and the values derived from them."""

import dataclasses
from typing import ClassVar, Literal

from albert_keras.optimizers import square_root_scaling
from albert_keras.workflows.settings.run_settings import (
    RunSettings,
    order_fields,
)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingSettings(RunSettings):
    """Pretrains ALBERT on a prepared corpus."""

    # === Paths ===

    data_dir: str
    """Corpus made by prepare_corpus.py."""

    run_name: str | None = None
    """Full name of the run; by default composed of its main settings."""

    # === Model ===

    model_type: Literal["albert"] = "albert"
    """Type of the model; there is only one."""

    model_size: Literal[
        "tiny", "mini", "small", "base", "large", "xlarge", "xxlarge"
    ] = "base"
    """Size of the model, see AlbertConfig."""

    load_from: Literal["scratch", "checkpoint", "pretrained"] = "scratch"
    """Initial weights: random, another run's checkpoint, or a pretrained
    model."""

    initialize_embeddings: Literal["corpus", "random"] = "corpus"
    """Token embeddings of a run from scratch: factors of the corpus's
    co-occurrences, which learn faster, or random."""

    pretrained: str | None = None
    """Pretrained model for `--load_from pretrained`: a directory or a hub
    handle."""

    checkpoint_path: str | None = None
    """Checkpoint or run directory for `--load_from checkpoint`."""

    load_optimizer_state: bool = True
    """Also restore the checkpoint's optimizer state and step."""

    hidden_dropout_prob: float = 0.0
    """Dropout rate of the hidden layers (version 2 models: 0)."""

    attention_probs_dropout_prob: float = 0.0
    """Dropout rate of the attention weights (version 2 models: 0)."""

    pre_layer_norm: bool = False
    """Normalize before the sub-layers: leaves the plateau sooner with small
    batches, but is not the paper's model."""

    skip_mlm: bool = False
    """Train only sentence-order prediction."""

    skip_sop: bool = False
    """Train only masked-language modeling."""

    # === Data ===

    max_seq_length: int = 512
    """Sequence length in tokens."""

    first_seq_length: int | None = None
    """Sequence length of the first updates, such as 128, to save time."""

    first_seq_steps: int = 0
    """Updates with `first_seq_length` (BERT: 90% of all)."""

    max_predictions_per_seq: int | None = None
    """Maximum number of masked tokens; by default enough for the share of
    tokens in `masked_lm_prob`."""

    masked_lm_prob: float = 0.15
    """Share of the tokens to predict."""

    short_seq_prob: float = 0.1
    """Probability of a shorter sequence."""

    # === Training ===

    batch_size: int = 32
    """Sequences per micro-batch on each rank; on JAX, on each device of the
    machine."""

    total_steps: int = 125000
    """Total number of updates (ALBERT: 125,000 of 4096 x 512 tokens)."""

    minutes: float | None = None
    """Replace `total_steps` by the updates that this machine, whose speed is
    measured, makes in so many minutes."""

    warmup_steps: int | None = None
    """Warm-up updates; by default 1/40 of all, as in ALBERT."""

    learning_rate: float | None = None
    """Peak learning rate. Default for tiny: 0.007 (LAMB) or 0.003 (AdamW);
    other sizes: 0.00176 x sqrt(global batch size / 4096) for LAMB, 0.0005 for
    AdamW."""

    beta_1: float = 0.9
    """Decay rate of the first moment."""

    beta_2: float = 0.999
    """Decay rate of the second moment."""

    bias_correction: bool = True
    """Bias-correct LAMB's moments; Google's release does not."""

    # === SQuAD during pretraining ===

    squad_frequency: int = 0
    """Updates between two SQuAD scores, for which a copy of the encoder is
    fine-tuned; 0 for none."""

    squad_train_file: str | None = None
    """SQuAD file to fine-tune the copies on."""

    squad_dev_file: str | None = None
    """SQuAD file to score the copies on."""

    squad_config: str | None = None
    """YAML file with further settings of finetune_squad.py, such as
    total_steps."""

    # === Logs ===

    validation_frequency: int = 2000
    """Updates between two validations."""

    validation_steps: int = 50
    """Batches of `batch_size` rows per validation on each rank, the same every
    time."""

    MAY_CHANGE: ClassVar[frozenset[str]] = RunSettings.MAY_CHANGE | {
        "run_name",
        "squad_frequency",
        "squad_train_file",
        "squad_dev_file",
        "squad_config",
        "validation_frequency",
        "validation_steps",
    }
    POSITIVE: ClassVar[frozenset[str]] = RunSettings.POSITIVE | {
        "validation_steps",
        "minutes",
    }

    def compute_global_batch_size(self, num_ranks: int) -> int:
        """Rows of an update over all ranks, or devices."""
        return self.batch_size * self.gradient_accumulation_steps * num_ranks

    def tokens_per_update(self, num_ranks: int) -> int:
        """Tokens of an update over all ranks, padding included."""
        return self.compute_global_batch_size(num_ranks) * self.max_seq_length

    def warmup(self) -> int:
        """Warm-up updates: given, or ALBERT's share."""
        if self.warmup_steps is not None:
            return self.warmup_steps
        return self.total_steps // 40

    def objectives(self) -> list[str]:
        """Names of the objectives to train."""
        skipped = {"mlm": self.skip_mlm, "sop": self.skip_sop}
        return [name for name, is_skipped in skipped.items() if not is_skipped]

    def peak_learning_rate(self, num_ranks: int) -> float:
        """The peak: given, measured, or by LAMB's square-root scaling.

        AdamW's does not scale. The rates for tiny were measured, see
        recipes/demo.yaml: runs of a few thousand updates need higher ones.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        if self.model_size == "tiny":
            return {"lamb": 0.007, "adamw": 0.003}[self.optimizer]
        if self.optimizer == "adamw":
            return 5e-4
        return square_root_scaling(self.compute_global_batch_size(num_ranks))

    def composed_name(self, num_ranks: int, time: str, platform: str) -> str:
        """The run's name, composed like the AWS sample's."""
        if self.run_name:
            return self.run_name
        skipped = "-skipsop" * self.skip_sop + "-skipmlm" * self.skip_mlm
        return (
            f"{time}-{platform}-{self.model_type}-{self.model_size}-"
            f"{self.load_from}-{num_ranks}gpus-"
            f"{self.compute_global_batch_size(num_ranks)}globalbatch-"
            f"{self.peak_learning_rate(num_ranks):.3g}maxlr-"
            f"{self.learning_rate_decay_power:g}power-{self.optimizer}opt-"
            f"{self.total_steps}steps-"
            f"{'preln' if self.pre_layer_norm else 'postln'}{skipped}-"
            f"{self.hidden_dropout_prob:g}dropout-{self.name or 'unnamed'}"
        )

    def check(self) -> None:
        """Raises a `ValueError` if settings are invalid or conflict."""
        super().check()
        if self.squad_frequency and not (
            self.squad_train_file and self.squad_dev_file
        ):
            raise ValueError(
                "--squad_frequency needs --squad_train_file and "
                "--squad_dev_file."
            )
        if self.skip_mlm and self.skip_sop:
            raise ValueError(
                "--skip_mlm and --skip_sop together leave nothing to train. "
                "Pass only one."
            )
        if (self.first_seq_length is None) != (self.first_seq_steps == 0):
            raise ValueError(
                "--first_seq_length and --first_seq_steps go together. "
                f"Received: {self.first_seq_length}, {self.first_seq_steps}."
            )
        if self.minutes is not None and (
            self.first_seq_length or self.load_from == "checkpoint"
        ):
            raise ValueError(
                "--minutes plans a run of one sequence length from its start. "
                "With --first_seq_length or --load_from checkpoint pass "
                "--total_steps."
            )
        for source, flag in (
            ("pretrained", "pretrained"),
            ("checkpoint", "checkpoint_path"),
        ):
            if (self.load_from == source) != (getattr(self, flag) is not None):
                raise ValueError(
                    f"--load_from {source} and --{flag} go together. "
                    f"Received: --load_from {self.load_from}, "
                    f"--{flag} {getattr(self, flag)}."
                )
