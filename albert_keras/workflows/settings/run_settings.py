"""Settings that pretraining and fine-tuning have in common."""

import dataclasses
from typing import Any, ClassVar, Literal, TypeVar

SettingsClass = TypeVar("SettingsClass", bound=type)


def order_fields(settings_class: SettingsClass) -> SettingsClass:
    """Orders a dataclass's fields: required ones, its own, inherited ones.

    `--help` and settings.yaml list the fields in this order.
    """
    target: Any = settings_class
    fields = target.__dataclass_fields__
    names = [
        name
        for base in target.__mro__
        for name in vars(base).get("__annotations__", ())
        if name in fields
    ]
    names.sort(key=lambda name: not _is_required(fields[name]))
    target.__dataclass_fields__ = {name: fields[name] for name in names}
    return settings_class


def _is_required(field):
    return (
        field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of a training run; subclasses add those of their task."""

    # === Paths ===

    output_dir: str
    """Run directory, for settings, metrics, checkpoints and curves."""

    resume: bool = False
    """Resume from the newest complete checkpoint in the run directory."""

    checkpoint_dir: str | None = None
    """Directory of the checkpoints; by default /opt/ml/checkpoints if it
    exists (SageMaker's spot instances), else inside the run directory."""

    name: str = ""
    """Custom name, for the model card and the run's name."""

    # === Training ===

    seed: int = 42
    """Seed of weights, dropout and batches."""

    gradient_accumulation_steps: int = 1
    """Micro-batches per update, on each rank."""

    optimizer: Literal["lamb", "adamw"] = "lamb"
    """LAMB, or AdamW for small batches."""

    end_learning_rate: float = 0.0
    """Learning rate after the last update (the AWS sample: 3e-5)."""

    learning_rate_decay_power: float = 1.0
    """Power of the learning rate's decay; 1 is linear."""

    weight_decay: float = 0.01
    """Weight decay, but not of layer normalization and biases (the AWS
    sample's fine-tuning: 0)."""

    epsilon: float = 1e-6
    """Added to the square root of the second moment."""

    max_grad_norm: float = 1.0
    """Clip the gradient to this global norm."""

    gradient_compression: Literal["none", "float16", "bfloat16"] = "none"
    """Type of the gradients in the all-reduce between ranks or devices."""

    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Dtype policy of the computation."""

    remat: bool = False
    """Recompute each layer in the backward pass: a third more time, and much
    less memory. Without dropout only."""

    skip_xla: bool = False
    """Do not compile with XLA (TensorFlow does on GPUs only; JAX always, or
    else it runs operation by operation)."""

    eager: bool = False
    """Run without a graph, for debugging."""

    # === Logs ===

    log_frequency: int = 10
    """Updates between two rows of metrics."""

    checkpoint_frequency: int = 5000
    """Updates between two checkpoints."""

    keep_checkpoints: int = 5
    """Number of checkpoints to keep."""

    wandb_project: str | None = None
    """Also log to this project of Weights & Biases, if logged in."""

    MAY_CHANGE: ClassVar[frozenset[str]] = frozenset(
        {
            "output_dir",
            "resume",
            "checkpoint_dir",
            "wandb_project",
            "batch_size",
            "gradient_accumulation_steps",
            "log_frequency",
            "checkpoint_frequency",
            "keep_checkpoints",
            "remat",
            "skip_xla",
            "eager",
        }
    )
    """Settings that a resumed run may change. It may cut an update into other
    micro-batches, but its global batch size must stay the same."""

    POSITIVE: ClassVar[frozenset[str]] = frozenset(
        {
            "batch_size",
            "gradient_accumulation_steps",
            "total_steps",
            "validation_frequency",
            "log_frequency",
            "checkpoint_frequency",
            "keep_checkpoints",
        }
    )
    """Settings that must be above 0, or None."""

    def check(self) -> None:
        """Raises a `ValueError` if settings are invalid or conflict."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in self.POSITIVE and value is not None and value <= 0:
                raise ValueError(
                    f"--{field.name} must be above 0. Received: {value}."
                )
