"""Launches fine-tuning on SQuAD on Amazon SageMaker.

    python recipes/squad_sagemaker.py --pretrained runs/albert/model \
        --instance_type ml.g5.12xlarge --dry_run

Accepts every flag of finetune_squad.py. The files default to train-v2.0.json
and dev-v2.0.json in squad_data/ on the volume. See pretrain_sagemaker.py and
docs/sagemaker.md.
"""

import dataclasses
from typing import ClassVar, Literal

from albert_keras.launching.estimate import Workload
from albert_keras.workflows.sagemaker_launch import launch
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.run_settings import order_fields
from albert_keras.workflows.settings.sagemaker_settings import SageMakerSettings
from albert_keras.workflows.settings.task_settings import (
    SQUAD_DEFAULTS,
    SquadSettings,
)

# Questions in the official training files, to estimate the run time.
NUM_QUESTIONS = {"1.1": 87_599, "2.0": 130_319}


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class SquadOnSageMaker(SageMakerSettings, SquadSettings):
    """Launches fine-tuning on SQuAD on Amazon SageMaker."""

    sm_job_name: str = "albert-squad"
    """First part of the job's name and of the S3 prefix of its results."""

    squad_version: Literal["squadv1", "squadv2"] = "squadv2"
    """Version of the files that `train_file` and `dev_file` default to."""

    entry_point: str = "recipes/finetune_squad.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = SquadSettings
    VOLUME_PATHS: ClassVar = (
        "pretrained",
        "vocabulary",
        "output_dir",
        "checkpoint_dir",
        "train_file",
        "dev_file",
    )
    METRICS: ClassVar = {
        "train/loss": "loss",
        "val/exact": "val_exact(?:_match)?",
        "val/f1": "val_f1",
        "learning_rate": "learning_rate",
        "grad_norm": "gradient_norm",
        "tokens_per_second": "tokens_per_second",
    }

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
        defaults = SQUAD_DEFAULTS[self.version()]
        plan = self.plan(defaults, NUM_QUESTIONS[self.version()], num_ranks)
        return Workload(
            updates=plan.total_steps,
            global_batch_size=plan.global_batch_size,
            sequence_length=self.max_seq_length or defaults.max_seq_length,
        )


def main(argv=None):
    return run_recipe("squad_sagemaker", launch, SquadOnSageMaker, argv)


if __name__ == "__main__":
    main()
