"""The places that Amazon SageMaker gives the container of a training job.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

import os
from pathlib import Path

# Names another root, to try a job without a container.
ROOT_VARIABLE = "ALBERT_KERAS_OPT_ML"
# What SageMaker shows of a failure.
FAILURE_CHARACTERS = 1024


class SageMakerContainer:
    """Paths of a training job's container.

    Args:
        root: By default the value of `ALBERT_KERAS_OPT_ML`, or `/opt/ml`.

    Attributes:
        checkpoints: Copied to S3 while the job runs, and back when it is
            started again.
        model: Packed and kept in S3 when the job ends.
        output_data: Likewise, for everything else.
        tensorboard: Copied to S3 while the job runs.
        failure: A text there is the job's failure reason.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root or os.environ.get(ROOT_VARIABLE) or "/opt/ml")
        self.checkpoints = self.root / "checkpoints"
        self.model = self.root / "model"
        self.output_data = self.root / "output" / "data"
        self.tensorboard = self.root / "output" / "tensorboard"
        self.failure = self.root / "output" / "failure"

    @property
    def runs_a_job(self) -> bool:
        """Whether this process is in the container of a training job.

        `/opt/ml` alone is also in SageMaker's notebooks.
        """
        config = self.root / "input" / "config" / "resourceconfig.json"
        return config.is_file()

    def channel(self, name: str) -> Path:
        """Where an input channel is mounted or copied to."""
        return self.root / "input" / "data" / name

    def report_failure(self, reason: str) -> None:
        """Gives the job a failure reason, unless it has one already.

        The first rank to fail says why; the others only follow it. Outside
        of a job nothing is written.
        """
        if not self.runs_a_job:
            return
        self.failure.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(self.failure, "x", encoding="utf-8") as file:
                file.write(reason[:FAILURE_CHARACTERS])
        except FileExistsError:
            pass
