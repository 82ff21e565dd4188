"""Settings for launching the fine-tuning recipes on Amazon SageMaker."""

import dataclasses
from typing import Any, ClassVar, Literal

from albert_keras.launching.estimate import Workload
from albert_keras.workflows.glue_table import TABLE_TASKS
from albert_keras.workflows.settings.embedding_settings import (
    EMBEDDING_DEFAULTS,
    EmbeddingSettings,
)
from albert_keras.workflows.settings.finetuning_settings import TaskDefaults
from albert_keras.workflows.settings.run_settings import order_fields
from albert_keras.workflows.settings.sagemaker_settings import SageMakerSettings
from albert_keras.workflows.settings.task_settings import (
    CLASSIFICATION_DEFAULTS,
    GLUE_DEFAULTS,
    RACE_DEFAULTS,
    SQUAD_DEFAULTS,
    TOKEN_DEFAULTS,
    ClassificationSettings,
    GlueSettings,
    RaceSettings,
    SquadSettings,
    TokenSettings,
)

# Questions in the official training files, to estimate the run time.
NUM_QUESTIONS = {"1.1": 87_599, "2.0": 130_319}
# Training rows of the official files, for `epochs`.
NUM_GLUE_ROWS = {
    "CoLA": 8_551,
    "STS-B": 5_749,
    "SST-2": 67_349,
    "MNLI": 392_702,
    "QNLI": 104_743,
    "QQP": 363_846,
    "RTE": 2_490,
    "MRPC": 3_668,
    "WNLI": 635,
}
NUM_RACE_QUESTIONS = 87_866
_PATHS = ("pretrained", "vocabulary", "output_dir", "checkpoint_dir")
_METRICS = {
    "train/loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
    "tokens_per_second": "tokens_per_second",
}


def _metrics(*scores: str) -> dict[str, str]:
    """Columns of metrics.csv by the name to show, with a task's scores."""
    return _METRICS | {f"val/{name}": f"val_{name}" for name in scores}


class FinetuneOnSageMaker(SageMakerSettings):
    """Base class of the settings that launch fine-tuning recipes.

    They launch training; a job has no other mode.
    """

    def check_launch(self) -> None:
        super().check_launch()
        settings: Any = self
        if settings.mode != "train":
            raise ValueError(
                f"--mode {settings.mode} is not for jobs, which train. Run "
                f"{self.entry_point} on your machine with the job's model."
            )

    def task_workload(
        self, defaults: TaskDefaults, num_rows: int | None, num_ranks: int
    ) -> Workload:
        """The amount of computation.

        Args:
            defaults: Hyperparameters of the task.
            num_rows: Number of training rows; None if it is not known.
            num_ranks: Number of ranks.
        """
        settings: Any = self
        plan = settings.plan(defaults, num_rows or 1, num_ranks)
        is_known = bool(num_rows or settings.total_steps)
        return Workload(
            updates=plan.total_steps if is_known else None,
            global_batch_size=plan.global_batch_size,
            sequence_length=settings.max_seq_length or defaults.max_seq_length,
        )


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class SquadOnSageMaker(FinetuneOnSageMaker, SquadSettings):
    """Launches fine-tuning on SQuAD on Amazon SageMaker."""

    sm_job_name: str = "albert-squad"
    """First part of the job's name and of the S3 prefix of its results."""

    squad_version: Literal["squadv1", "squadv2"] = "squadv2"
    """Version of the files that `train_file` and `dev_file` default to."""

    entry_point: str = "recipes/finetune_squad.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = SquadSettings
    VOLUME_PATHS: ClassVar = (*_PATHS, "train_file", "dev_file")
    METRICS: ClassVar = _metrics("f1") | {"val/exact": "val_exact(?:_match)?"}

    def version(self):
        """Version of SQuAD."""
        return {"squadv1": "1.1", "squadv2": "2.0"}[self.squad_version]

    def default_paths(self):
        folder = "squad_data" if self.fsx_id else "."
        return {
            **super().default_paths(),
            "train_file": f"{folder}/train-v{self.version()}.json",
            "dev_file": f"{folder}/dev-v{self.version()}.json",
        }

    def workload(self, num_ranks):
        version = self.version()
        return self.task_workload(
            SQUAD_DEFAULTS[version], NUM_QUESTIONS[version], num_ranks
        )


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class GlueOnSageMaker(FinetuneOnSageMaker, GlueSettings):
    """Launches fine-tuning on a GLUE task on Amazon SageMaker."""

    sm_job_name: str = "albert-glue"
    """First part of the job's name and of the S3 prefix of its results, before
    the task."""

    data_dir: str = ""
    """Folder with one folder per task; by default glue_data/ on the volume, or
    the data in `s3_data`."""

    output_dir: str | None = None  # type: ignore[assignment]
    """Run directory on the volume; by default runs/ and the job's name."""

    entry_point: str = "recipes/finetune_glue.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = GlueSettings
    VOLUME_PATHS: ClassVar = (*_PATHS, "data_dir")
    METRICS: ClassVar = _metrics(
        "accuracy", "f1", "matthews", "pearson", "spearman"
    )

    def purpose(self):
        parts = (self.sm_job_name, self.task.lower(), self.name)
        return "-".join(filter(None, parts))

    def default_paths(self):
        folder = "glue_data" if self.fsx_id else "."
        return {**super().default_paths(), "data_dir": folder}

    def workload(self, num_ranks):
        if self.task != "all":
            rows = NUM_GLUE_ROWS[self.task]
            defaults = GLUE_DEFAULTS[self.task]
            return self.task_workload(defaults, rows, num_ranks)
        # Tasks have different batches; each must be divisible.
        *_, work = (
            self.task_workload(GLUE_DEFAULTS[task], None, num_ranks)
            for task in TABLE_TASKS
        )
        return dataclasses.replace(work, updates=None)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class RaceOnSageMaker(FinetuneOnSageMaker, RaceSettings):
    """Launches fine-tuning on RACE on Amazon SageMaker."""

    sm_job_name: str = "albert-race"
    """First part of the job's name and of the S3 prefix of its results."""

    data_dir: str = ""
    """The release's folder; by default RACE/ on the volume, or the data in
    `s3_data`."""

    output_dir: str | None = None  # type: ignore[assignment]
    """Run directory on the volume; by default runs/ and the job's name."""

    entry_point: str = "recipes/finetune_race.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = RaceSettings
    VOLUME_PATHS: ClassVar = (*_PATHS, "data_dir")
    METRICS: ClassVar = _metrics("accuracy", "accuracy_middle", "accuracy_high")

    def default_paths(self):
        folder = "RACE" if self.fsx_id else "."
        return {**super().default_paths(), "data_dir": folder}

    def workload(self, num_ranks):
        return self.task_workload(RACE_DEFAULTS, NUM_RACE_QUESTIONS, num_ranks)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class TagsOnSageMaker(FinetuneOnSageMaker, TokenSettings):
    """Launches the fine-tuning of a tagger of words on Amazon SageMaker."""

    sm_job_name: str = "albert-tags"
    """First part of the job's name and of the S3 prefix of its results."""

    output_dir: str | None = None  # type: ignore[assignment]
    """Run directory on the volume; by default runs/ and the job's name."""

    num_rows: int | None = None
    """Training sentences, to estimate the run time."""

    entry_point: str = "recipes/finetune_tokens.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = TokenSettings
    VOLUME_PATHS: ClassVar = (*_PATHS, "train_file", "dev_file", "test_file")
    METRICS: ClassVar = _metrics("accuracy", "precision", "recall", "f1")

    def workload(self, num_ranks):
        return self.task_workload(TOKEN_DEFAULTS, self.num_rows, num_ranks)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationOnSageMaker(FinetuneOnSageMaker, ClassificationSettings):
    """Launches fine-tuning on a table of texts and labels on SageMaker."""

    sm_job_name: str = "albert-classification"
    """First part of the job's name and of the S3 prefix of its results."""

    num_rows: int | None = None
    """Training rows, to estimate the run time."""

    entry_point: str = "recipes/finetune_classification.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = ClassificationSettings
    VOLUME_PATHS: ClassVar = (
        *(*_PATHS, "train_file", "dev_file", "input_file", "output_file"),
    )
    METRICS: ClassVar = _metrics(
        *("accuracy", "macro_f1", "micro_f1", "matthews", "roc_auc"),
        *("average_precision", "pearson", "spearman", "rmse"),
    )

    def workload(self, num_ranks):
        defaults = CLASSIFICATION_DEFAULTS
        return self.task_workload(defaults, self.num_rows, num_ranks)


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingsOnSageMaker(FinetuneOnSageMaker, EmbeddingSettings):
    """Launches the fine-tuning of embeddings on pairs on Amazon SageMaker."""

    sm_job_name: str = "albert-embeddings"
    """First part of the job's name and of the S3 prefix of its results."""

    mode: Literal["embed", "train"] = "train"
    """Jobs train."""

    num_rows: int | None = None
    """Training pairs, to estimate the run time."""

    entry_point: str = "recipes/embed.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = EmbeddingSettings
    VOLUME_PATHS: ClassVar = (
        *(*_PATHS, "train_file", "dev_file", "input_file", "output_file"),
    )
    METRICS: ClassVar = _metrics("accuracy", "mrr", "similarity")

    def workload(self, num_ranks):
        return self.task_workload(EMBEDDING_DEFAULTS, self.num_rows, num_ranks)


FINETUNING = {
    "squad": SquadOnSageMaker,
    "glue": GlueOnSageMaker,
    "race": RaceOnSageMaker,
    "tags": TagsOnSageMaker,
    "classification": ClassificationOnSageMaker,
    "embeddings": EmbeddingsOnSageMaker,
}
