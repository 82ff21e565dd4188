"""Launches a fine-tuning recipe on Amazon SageMaker.

    python recipes/finetune_sagemaker.py --task squad \
        --pretrained runs/albert/model --instance_type ml.g5.12xlarge --dry_run
    python recipes/finetune_sagemaker.py --task glue --glue_task RTE ...
    python recipes/finetune_sagemaker.py --task glue --glue_task all ...
    python recipes/finetune_sagemaker.py --task race ...
    python recipes/finetune_sagemaker.py --task tags --train_file eng.train ...
    python recipes/finetune_sagemaker.py --task classification \
        --train_file reviews.csv ...

Accepts every flag of the task's recipe, and those of pretrain_sagemaker.py for
the job; `--task TASK --help` lists them. Files are on the volume, or in S3 with
`--s3_data` or as `s3://BUCKET/FILE`. `--dry_run` prints the request and changes
nothing. See docs/sagemaker.md.
"""

import sys

from albert_keras.workflows.sagemaker_launch import launch
from albert_keras.workflows.settings.finetuning_on_sagemaker import FINETUNING
from albert_keras.workflows.settings.parse_settings import (
    run_recipe,
    take_flag,
)


def main(argv=None):
    argv = list(sys.argv[1:] if argv is None else argv)
    task = take_flag(argv, "task")
    if task not in FINETUNING:
        if {"-h", "--help"} & set(argv):
            print(__doc__)
            return None
        raise SystemExit(
            f"--task must be one of {', '.join(FINETUNING)}. Received: {task}. "
            "For a task of GLUE, pass --task glue --glue_task RTE."
        )
    # The recipe of GLUE has a flag of this name itself.
    glue_task = take_flag(argv, "glue_task")
    if glue_task is not None:
        argv += ["--task", glue_task]
    return run_recipe("finetune_sagemaker", launch, FINETUNING[task], argv)


if __name__ == "__main__":
    main()
