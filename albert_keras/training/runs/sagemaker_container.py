"""Paths in the container of an Amazon SageMaker training job.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

import os
from pathlib import Path

# Environment variable with another root, to try a job without a container.
ROOT_VARIABLE = "ALBERT_KERAS_OPT_ML"
# Length of the failure reason that SageMaker shows.
FAILURE_CHARACTERS = 1024


class SageMakerContainer:
    """Paths of a training job's container.

    Args:
        root: By default the value of `ALBERT_KERAS_OPT_ML`, or `/opt/ml`.

    Attributes:
        checkpoints: Directory that is copied to S3 while the job runs, and
            back when it restarts.
        model: Directory that is packed and uploaded to S3 when the job ends.
        output_data: The same for all other results.
        tensorboard: Directory that is copied to S3 while the job runs.
        failure: Text file with the job's failure reason.
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
        """Whether this process runs in the container of a training job.

        `/opt/ml` alone does not tell: SageMaker's notebooks have it, too.
        """
        config = self.root / "input" / "config" / "resourceconfig.json"
        return config.is_file()

    def channel(self, name: str) -> Path:
        """Path at which an input channel is mounted or copied."""
        return self.root / "input" / "data" / name

    def report_failure(self, reason: str) -> None:
        """Writes the job's failure reason, unless there is one already.

        The first rank to fail knows the cause; the others fail because of
        it. Does nothing outside a job.
        """
        if not self.runs_a_job:
            return
        try:
            self.failure.parent.mkdir(parents=True, exist_ok=True)
            with open(self.failure, "x", encoding="utf-8") as file:
                file.write(reason[:FAILURE_CHARACTERS])
        except OSError:
            pass  # there is a reason, or no room: the log has it as well
