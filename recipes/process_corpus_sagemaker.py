"""Prepares a corpus on several machines, as SageMaker Processing jobs.

    python recipes/process_corpus_sagemaker.py --input s3://bucket/texts \
        --vocabulary s3://bucket/vocabulary.model --output s3://bucket/corpus \
        --role ROLE_ARN --image IMAGE --instance_count 8 --dry_run
    ... the same with --merge, once that job has ended

Each instance is one of `--task_count` tasks of prepare_corpus.py and uploads
its shards as they are finished; the second job, on one instance, puts them
together. Text is read from S3 by every instance, which encodes its share of
it. The image needs Python 3.10 to 3.12 with pip; the package is installed from
`--source_dir`, which is uploaded. `--dry_run` prints the CreateProcessingJob
request and touches nothing. Needs boto3 (extra `sagemaker`).
"""

import dataclasses
import json
import shlex
import time
from pathlib import Path

from albert_keras.workflows.parse_settings import run_recipe

PROCESSING = "/opt/ml/processing"
PACKAGED = ("albert_keras", "recipes")
PACKAGE_FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
# Which of the job's instances this is.
TASK_INDEX = (
    'import json; c = json.load(open("/opt/ml/config/resourceconfig.json")); '
    'print(sorted(c["hosts"]).index(c["current_host"]))'
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Prepares a corpus on several machines of SageMaker."""

    input: str
    """S3 prefix of the texts."""

    output: str
    """S3 prefix for the corpus; the shards go below it, into parts/."""

    vocabulary: str
    """SentencePiece model in S3; prepare_corpus.py --vocabulary_only makes
    one."""

    role: str
    """ARN of the role of the job."""

    image: str
    """Image with Python 3.10 to 3.12."""

    instance_type: str = "ml.c6i.8xlarge"
    """Instances; a core makes about 2 million tokens a second."""

    instance_count: int = 4
    """How many share the text out."""

    volume_gigabytes: int = 200
    """Disk of each: the texts and 2.2 bytes a token of its share, merging 4.5
    bytes for each of all tokens."""

    workers: int = 16
    """Processes on each."""

    arguments: str = ""
    """More flags for prepare_corpus.py: --arguments='--language de'."""

    merge: bool = False
    """The second job: put the shards together."""

    name: str = "albert-corpus"
    """Beginning of the job's name."""

    source_dir: str = str(Path(__file__).parents[1])
    """This project, to install on the instances."""

    max_hours: float = 24.0
    """When to stop the job."""

    dry_run: bool = False
    """Print the request and touch nothing."""

    def check(self):
        """Raises where a setting cannot be right."""
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
    """Starts the job, or prints what it would be."""
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
            "Without it, --dry_run prints the request."
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
    """What each instance runs."""
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
    return f"{settings.output}/code"


def upload(s3, settings):
    """Puts the package where the instances find it."""
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
