"""Prepares a corpus on several machines with SageMaker Processing jobs.

    python recipes/process_corpus_sagemaker.py --input s3://bucket/texts \
        --vocabulary s3://bucket/vocabulary.model --output s3://bucket/corpus \
        --role ROLE_ARN --image IMAGE --instance_count 8 --dry_run
    ... the same with --merge, after that job has ended

Each instance runs one of the tasks of prepare_corpus.py: it reads the text from
S3, encodes its share, and uploads its shards as they are completed. The second
job, on one instance, merges them. The image needs Python 3.10 to 3.12 with pip;
the package is uploaded from `--source_dir` and installed. `--dry_run` prints
the CreateProcessingJob request and changes nothing. Needs boto3 (extra
`sagemaker`).
"""

import dataclasses
import json
import shlex
import time
from pathlib import Path

from albert_keras.workflows.settings.parse_settings import run_recipe

PROCESSING = "/opt/ml/processing"
PACKAGED = ("albert_keras", "recipes")
PACKAGE_FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
# Prints the index of this instance in the job.
TASK_INDEX = (
    'import json; c = json.load(open("/opt/ml/config/resourceconfig.json")); '
    'print(sorted(c["hosts"]).index(c["current_host"]))'
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Prepares a corpus on several machines with SageMaker Processing jobs."""

    input: str
    """S3 prefix of the texts."""

    output: str
    """S3 prefix for the corpus; its subfolder parts/ gets the shards."""

    vocabulary: str
    """SentencePiece model in S3, made with
    prepare_corpus.py --vocabulary_only."""

    role: str
    """ARN of the job's execution role."""

    image: str
    """Image with Python 3.10 to 3.12."""

    instance_type: str = "ml.c6i.8xlarge"
    """Type of the instances; one core encodes about 2 million tokens per
    second."""

    instance_count: int = 4
    """Number of instances among which the text is divided."""

    volume_gigabytes: int = 200
    """Disk of each instance in GB: all texts and 2.2 bytes per token of its
    share; for merging, 4.5 bytes per token of the corpus."""

    workers: int = 16
    """Number of processes per instance."""

    arguments: str = ""
    """Further flags for prepare_corpus.py: --arguments='--language de'."""

    merge: bool = False
    """Run the second job, which merges the shards."""

    name: str = "albert-corpus"
    """First part of the job's name."""

    source_dir: str = str(Path(__file__).parents[1])
    """Directory of this project, to install on the instances."""

    max_hours: float = 24.0
    """Maximum run time in hours."""

    dry_run: bool = False
    """Print the request as JSON and exit; changes nothing."""

    def check(self):
        """Raises if a setting is invalid."""
        for name in ("input", "output", "vocabulary"):
            if not getattr(self, name).startswith("s3://"):
                raise ValueError(
                    f"--{name} must begin with s3://. "
                    f"Received: {getattr(self, name)}."
                )
        if not 0 < self.max_hours <= 120:
            raise ValueError(
                "--max_hours must be above 0 and at most 120, SageMaker's "
                f"limit. Received: {self.max_hours}."
            )


def main(argv=None):
    return run_recipe("process_corpus_sagemaker", launch, Settings, argv)


def launch(settings):
    """Starts the job, or prints its request."""
    settings.check()
    stamp = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime())
    request = processing_request(settings, stamp)
    if settings.dry_run:
        print(json.dumps(request, indent=2))
        return request
    try:
        import boto3
    except ImportError as error:
        raise ValueError(
            "Launching needs boto3: pip install 'albert-keras[sagemaker]'. "
            "--dry_run works without it."
        ) from error
    upload(boto3.client("s3"), settings)
    boto3.client("sagemaker").create_processing_job(**request)
    print(f"Started {request['ProcessingJobName']}.")
    return request


def processing_request(settings, stamp):
    """The CreateProcessingJob request."""
    inputs = {"code": code_prefix(settings)}
    outputs = {}
    if settings.merge:
        inputs["parts"] = f"{settings.output}/parts"
        outputs["corpus"] = (settings.output, "EndOfJob")
    else:
        inputs["texts"] = settings.input
        inputs["vocabulary"] = settings.vocabulary
        outputs["parts"] = (f"{settings.output}/parts", "Continuous")
    step = "merge" if settings.merge else "encode"
    return {
        "ProcessingJobName": f"{settings.name}-{step}-{stamp}",
        "RoleArn": settings.role,
        "AppSpecification": {
            "ImageUri": settings.image,
            "ContainerEntrypoint": ["bash", "-c", command(settings)],
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1
                if settings.merge
                else settings.instance_count,
                "InstanceType": settings.instance_type,
                "VolumeSizeInGB": settings.volume_gigabytes,
            }
        },
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{PROCESSING}/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
            for name, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name,
                    "S3Output": {
                        "S3Uri": uri,
                        "LocalPath": f"{PROCESSING}/{name}",
                        "S3UploadMode": mode,
                    },
                }
                for name, (uri, mode) in outputs.items()
            ]
        },
        "StoppingCondition": {
            "MaxRuntimeInSeconds": int(settings.max_hours * 3600)
        },
    }


def command(settings):
    """The command line of each instance."""
    code = f"{PROCESSING}/code"
    flags = [
        *("--output_dir", f"{PROCESSING}/corpus"),
        *("--parts_dir", f"{PROCESSING}/parts"),
        *("--workers", str(settings.workers)),
        *shlex.split(settings.arguments),
    ]
    if settings.merge:
        flags.append("--merge")
    else:
        model = settings.vocabulary.rsplit("/", 1)[-1]
        flags += [
            *("--input", f"{PROCESSING}/texts"),
            *("--vocabulary", f"{PROCESSING}/vocabulary/{model}"),
            *("--task_count", str(settings.instance_count)),
        ]
    run = shlex.join(["python", f"{code}/recipes/prepare_corpus.py", *flags])
    if not settings.merge:
        run += f" --task_index $(python -c {shlex.quote(TASK_INDEX)})"
    install = f"pip install --quiet '{code}[corpora,recipes,tensorflow-cpu]'"
    return f"set -e; {install}; {run}"


def code_prefix(settings):
    """S3 prefix of the uploaded package."""
    return f"{settings.output}/code"


def upload(s3, settings):
    """Uploads the package to S3."""
    source = Path(settings.source_dir)
    bucket, _, prefix = code_prefix(settings)[len("s3://") :].partition("/")
    files = [source / name for name in PACKAGE_FILES]
    for folder in PACKAGED:
        files += sorted((source / folder).rglob("*.py"))
    for path in files:
        key = f"{prefix}/{path.relative_to(source)}"
        s3.upload_file(str(path), bucket, key)


if __name__ == "__main__":
    main()
