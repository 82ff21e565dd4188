"""Launches a pretraining run on Amazon SageMaker, on one or more hosts.

    python recipes/pretrain_sagemaker.py --data_dir corpus --model_size base \
        --instance_type ml.p4d.24xlarge --instance_count 8 \
        --global_batch_size 4096 --dry_run

Accepts every flag of pretrain.py. Role, image, volume, subnets and security
groups may also come from the environment: SAGEMAKER_ROLE, SAGEMAKER_IMAGE_NAME,
SAGEMAKER_FSX_ID, SAGEMAKER_FSX_MOUNT_NAME, SAGEMAKER_SUBNET_IDS,
SAGEMAKER_SECURITY_GROUP_IDS. `--dry_run` prints the request and changes
nothing. See docs/sagemaker.md.
"""

import dataclasses
from typing import ClassVar

from albert_keras.launching.estimate import Workload
from albert_keras.workflows.sagemaker_launch import launch
from albert_keras.workflows.settings.parse_settings import run_recipe
from albert_keras.workflows.settings.pretraining_settings import (
    PretrainingSettings,
)
from albert_keras.workflows.settings.run_settings import order_fields
from albert_keras.workflows.settings.sagemaker_settings import SageMakerSettings


@order_fields
@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainOnSageMaker(SageMakerSettings, PretrainingSettings):
    """Launches a pretraining run on Amazon SageMaker."""

    data_dir: str | None = None
    """Corpus made by prepare_corpus.py; by default corpus/ on the volume, or
    the data in `s3_data`."""

    output_dir: str | None = None
    """Run directory on the volume; by default runs/ and the job's name. With
    data in S3, SageMaker uploads it when the job ends."""

    entry_point: str = "recipes/pretrain.py"
    """Recipe to run, relative to `source_dir`."""

    RECIPE: ClassVar = PretrainingSettings
    VOLUME_PATHS: ClassVar = (
        "data_dir",
        "output_dir",
        "checkpoint_dir",
        "pretrained",
        "checkpoint_path",
        "squad_train_file",
        "squad_dev_file",
        "squad_config",
    )
    METRICS: ClassVar = {
        "train/loss": "loss",
        "train/mlm_loss": "mlm_loss",
        "train/mlm_acc": "mlm_accuracy",
        "train/sop_loss": "sop_loss",
        "train/sop_acc": "sop_accuracy",
        "val/mlm_loss": "val_mlm_loss",
        "val/mlm_acc": "val_mlm_accuracy",
        "val/sop_loss": "val_sop_loss",
        "val/sop_acc": "val_sop_accuracy",
        "learning_rate": "learning_rate",
        "grad_norm": "gradient_norm",
        "tokens_per_second": "tokens_per_second",
    }
    """Columns of metrics.csv by the AWS sample's names."""

    def default_paths(self):
        paths = super().default_paths()
        paths["data_dir"] = "corpus" if self.fsx_id else "."
        if self.squad_frequency:
            paths["squad_train_file"] = "squad_data/train-v2.0.json"
            paths["squad_dev_file"] = "squad_data/dev-v2.0.json"
        return paths

    def workload(self, num_ranks):
        return Workload(
            updates=self.total_steps,
            global_batch_size=self.compute_global_batch_size(num_ranks),
            sequence_length=self.max_seq_length,
            model_size=self.model_size,
        )


def main(argv=None):
    return run_recipe("pretrain_sagemaker", launch, PretrainOnSageMaker, argv)


if __name__ == "__main__":
    main()
