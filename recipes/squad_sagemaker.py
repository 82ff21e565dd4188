"""Launches fine-tuning on SQuAD on Amazon SageMaker.

    python recipes/squad_sagemaker.py --pretrained runs/albert/model \
        --instance_type ml.g5.12xlarge --dry_run

Accepts every flag of finetune_squad.py; the same as finetune_sagemaker.py with
`--task squad`. The files default to train-v2.0.json and dev-v2.0.json in
squad_data/ on the volume. See pretrain_sagemaker.py and docs/sagemaker.md.
"""

from albert_keras.workflows.sagemaker_launch import launch
from albert_keras.workflows.settings.finetuning_on_sagemaker import (
    SquadOnSageMaker,
)
from albert_keras.workflows.settings.parse_settings import run_recipe


def main(argv=None):
    return run_recipe("squad_sagemaker", launch, SquadOnSageMaker, argv)


if __name__ == "__main__":
    main()
