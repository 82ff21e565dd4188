"""Checks names and ids by the rules of Amazon Web Services.

The patterns come from the API reference (CreateTrainingJob, VpcConfig,
FileSystemDataSource, Tag).
"""

import re

# SageMaker's SDK appends a hyphen and fourteen digits, and truncates names to
# 63 characters, which would cut off the digits.
MAX_JOB_NAME = 63 - 15

_RULES = {
    "job name": (
        r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        "letters, digits and single hyphens between them",
    ),
    "run name": (r"[\w.\-]+", "letters, digits and _.-"),
    "role": (
        r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
        "arn:aws:iam::123456789012:role/NAME; `aws iam get-role --role-name "
        "NAME` shows it",
    ),
    "image": (
        r"[a-z0-9.\-]+(:\d+)?(/[a-z0-9._\-]+)+(:[\w.\-]+)?"
        r"(@sha256:[0-9a-f]{64})?",
        "123456789012.dkr.ecr.REGION.amazonaws.com/NAME:TAG",
    ),
    "file system": (r"fs-[0-9a-f]{8,}", "fs-0123456789abcdef0"),
    "mount name": (
        r"[a-zA-Z0-9_\-]{1,63}",
        "only the volume's mount name, without a slash; `aws fsx "
        "describe-file-systems` shows it",
    ),
    "subnet": (r"subnet-[0-9a-zA-Z]+", "subnet-0123456789abcdef0"),
    "security group": (r"sg-[0-9a-zA-Z]+", "sg-0123456789abcdef0"),
    "S3 location": (
        r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/.*)?",
        "s3://BUCKET/PREFIX",
    ),
    "bucket": (r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]", "only a bucket's name"),
    "region": (r"[a-z]{2}(-[a-z]+)+-\d", "us-east-1"),
    "tag": (
        r"[\w\s.:/+\-@]{1,128}=[\w\s.:/=+\-@]{0,256}",
        "KEY=VALUE of letters, digits, spaces and _.:/=+-@",
    ),
}
_REGISTRY = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9\-]+)\.amazonaws\.com")


def check_name(kind: str, argument: str, value: str) -> None:
    """Raises a `ValueError` if the service would refuse a value.

    Args:
        kind: A key of the rules, such as `"role"`.
        argument: Name of the setting, for the message.
        value: The value.
    """
    pattern, expected = _RULES[kind]
    if not re.fullmatch(pattern, value):
        raise ValueError(
            f"`{argument}` must be like this: {expected}. Received: {value!r}."
        )


def registry_of(image: str) -> tuple[str | None, str | None]:
    """Account and region of an image in Amazon ECR, or (None, None)."""
    match = _REGISTRY.match(image)
    return (match[1], match[2]) if match else (None, None)


def account_of(role: str) -> str:
    """The account of a role's ARN."""
    return role.split(":")[4]
