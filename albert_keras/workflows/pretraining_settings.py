"""Settings of a pretraining, and what follows from them."""

import dataclasses
from typing import ClassVar, Literal

from albert_keras.optimizers import square_root_scaling
from albert_keras.workflows.run_settings import RunSettings, order_fields


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingSettings(RunSettings):
    """Pretrains ALBERT on a prepared corpus."""

    # === Paths ===

    data_dir: str
    """A corpus made by prepare_corpus.py."""

    run_name: str | None = None
    """The run's whole name; by default composed of what matters."""

    # === Model ===

    model_type: Literal["albert"] = "albert"
    """Kind of model; there is one."""

    model_size: Literal[
        "tiny", "small", "base", "large", "xlarge", "xxlarge"
    ] = "base"
    """Size, see AlbertConfig."""

    load_from: Literal["scratch", "checkpoint", "pretrained"] = "scratch"
    """Where the weights come from."""

    pretrained: str | None = None
    """Pretrained directory for `--load_from pretrained`."""

    checkpoint_path: str | None = None
    """Checkpoint or run directory for `--load_from checkpoint`."""

    load_optimizer_state: bool = True
    """With a checkpoint, take its optimizer and step along."""

    hidden_dropout_prob: float = 0.0
    """Dropout of the hidden layers (version 2 models: 0)."""

    attention_probs_dropout_prob: float = 0.0
    """Dropout of the attention probabilities (version 2 models: 0)."""

    pre_layer_norm: bool = False
    """Normalize before the sub-layers: leaves the plateau sooner when batches
    are small, but is not the paper's model."""

    skip_mlm: bool = False
    """Train sentence order alone."""

    skip_sop: bool = False
    """Train masked-language modelling alone."""

    # === Data ===

    max_seq_length: int = 512
    """Length of the sequences."""

    first_seq_length: int | None = None
    """Length of the sequences at first, such as 128, which takes less time."""

    first_seq_steps: int = 0
    """Updates with that length (BERT: nine tenths of all)."""

    max_predictions_per_seq: int | None = None
    """Slots for masked pieces; by default enough for `masked_lm_prob`."""

    masked_lm_prob: float = 0.15
    """Share of the pieces to predict."""

    short_seq_prob: float = 0.1
    """Probability of a shorter sequence."""

    # === Training ===

    batch_size: int = 32
    """Sequences in a micro-batch, on each rank; under JAX, on each of the
    machine's devices, all of which take part."""

    total_steps: int = 125000
    """Updates in all (ALBERT: 125,000 of 4096 x 512 tokens)."""

    warmup_steps: int | None = None
    """Updates of warm-up; by default 1/40 of all, as in ALBERT."""

    learning_rate: float | None = None
    """Peak. By default 0.007 (LAMB) and 0.003 (AdamW) for tiny, else 0.00176 x
    sqrt(global batch / 4096) for LAMB and 0.0005 for AdamW."""

    beta_1: float = 0.9
    """Decay of the first moment."""

    beta_2: float = 0.999
    """Decay of the second moment."""

    bias_correction: bool = True
    """Correct LAMB's moments; Google's release does not."""

    # === SQuAD meanwhile ===

    squad_frequency: int = 0
    """Updates between two times that a copy of the encoder is fine-tuned on
    SQuAD and scored; 0 is never."""

    squad_train_file: str | None = None
    """SQuAD file to fine-tune the copies on."""

    squad_dev_file: str | None = None
    """SQuAD file to score them on."""

    squad_config: str | None = None
    """YAML file of further settings of finetune_squad.py, such as
    total_steps."""

    # === Logs ===

    validation_frequency: int = 2000
    """Updates between two validations."""

    validation_steps: int = 50
    """Batches of `batch_size` rows in a validation, on each rank, the same
    each time."""

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
        "validation_steps"
    }

    def compute_global_batch_size(self, num_ranks):
        """Rows of an update over all ranks, or devices."""
        return self.batch_size * self.gradient_accumulation_steps * num_ranks

    def tokens_per_update(self, num_ranks):
        """Tokens of an update on all ranks, padding included."""
        return self.compute_global_batch_size(num_ranks) * self.max_seq_length

    def warmup(self):
        """Updates of warm-up, given or by ALBERT's ratio."""
        if self.warmup_steps is not None:
            return self.warmup_steps
        return self.total_steps // 40

    def objectives(self):
        """Names of the objectives to train."""
        skipped = {"mlm": self.skip_mlm, "sop": self.skip_sop}
        return [name for name, is_skipped in skipped.items() if not is_skipped]

    def peak_learning_rate(self, num_ranks):
        """The peak: given, measured, or by LAMB's rule of the square root.

        AdamW does not scale. For tiny, see recipes/demo.yaml: runs of few
        thousand updates need more.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        if self.model_size == "tiny":
            return {"lamb": 0.007, "adamw": 0.003}[self.optimizer]
        if self.optimizer == "adamw":
            return 5e-4
        return square_root_scaling(self.compute_global_batch_size(num_ranks))

    def composed_name(self, num_ranks, time, platform):
        """The run's name, as the AWS sample composed it."""
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

    def check(self):
        """Raises where settings do not fit each other."""
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
                "--skip_mlm and --skip_sop leave nothing to train. Pass one."
            )
        if (self.first_seq_length is None) != (self.first_seq_steps == 0):
            raise ValueError(
                "--first_seq_length and --first_seq_steps go together. "
                f"Received: {self.first_seq_length}, {self.first_seq_steps}."
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
